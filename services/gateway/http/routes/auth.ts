/** Defines the routes of accounts and sessions. */
import { auth, type LogIn } from "../../../auth/contract.ts";
import { logIns, logInsPerAccount, logInsPerAddress, passwordChanges, signUpsPerAddress } from "../../shared/limits.ts";
import { row, type RouteLimit } from "../table.ts";

const tokenOf = ({ token }: LogIn) => token;

const perAddress = (_: unknown, address: string) => address;
const logInLimits: readonly RouteLimit<{ readonly emailId: string }>[] = [
  { limit: logIns, key: ({ emailId }, address) => `${address} ${emailId}` },
  { limit: logInsPerAddress, key: perAddress },
  { limit: logInsPerAccount, key: ({ emailId }) => emailId },
];

export const authRows = [
  row({
    method: "POST",
    path: "/auth/signup",
    action: auth.signUp,
    status: 201,
    limits: [{ limit: signUpsPerAddress, key: perAddress }],
    token: tokenOf,
    present: ({ account: { userId, firstName, lastName, emailId } }) => ({
      message: "Account created",
      data: { _id: userId, firstName, lastName, emailId },
    }),
  }),
  row({
    method: "POST",
    path: "/auth/login",
    action: auth.logIn,
    limits: logInLimits,
    token: tokenOf,
    present: ({ account: { userId, emailId }, token }) => ({ message: "Logged in", data: { id: userId, emailId, token } }),
  }),
  row({
    method: "POST",
    path: "/auth/logout",
    action: auth.logOut,
    isSessionOptional: true,
    token: () => null,
    present: () => ({ message: "Logged out" }),
  }),
  row({
    method: "PATCH",
    path: "/auth/changePassword",
    action: auth.changePassword,
    limits: [{ limit: passwordChanges, key: (_: unknown, _address, userId) => userId }],
    present: () => ({ message: "Password changed; all other sessions have ended" }),
  }),
  row({ method: "GET", path: "/auth/getUserByEmail", action: auth.userByEmail, present: ({ userId }) => ({ userId }) }),
  row({ method: "GET", path: "/auth/me", action: auth.me, present: (account) => ({ data: account }) }),
];
