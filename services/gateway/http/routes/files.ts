/** Defines the routes that upload and download files. */
import { chat } from "../../../chat/contract.ts";
import { media, maxFileBytes, type StoredFile } from "../../../media/contract.ts";
import { newId } from "../../../../core/ids.ts";
import { row } from "../table.ts";

const downloadRules = {
  thumb: { type: "string", enum: ["1"], optional: true, description: "`1` returns an image's thumbnail instead" },
} as const;
const download = (file: StoredFile, { thumb }: { readonly thumb?: string | undefined }) => ({ file, isThumb: thumb !== undefined });

export const fileRows = [
  row({
    method: "POST",
    path: "/chat/send-file",
    action: chat.sendFile,
    summary: "Send a file with an optional text",
    params: { clientId: { ...chat.sendFile.params.clientId, optional: true } },
    sets: {
      clientId: ({ clientId }) => clientId ?? newId(),
      file: (_, admitted) => admitted!.file,
      sha256: (_, admitted) => admitted!.sha256,
    },
    upload: {
      purpose: "message",
      fields: ["file"],
      maxBytes: maxFileBytes,
      isRequired: true,
      authorize: { action: chat.authorize, input: ({ chatId }) => ({ chatId, act: "post" }) },
      // A repeated request returns the message stored first, which refers to another file.
      isUsed: ({ message }, { fileId }) => message.file?._id === fileId,
    },
    status: ({ stored }) => (stored ? 201 : 200),
    present: ({ message }) => message,
  }),
  row({
    method: "GET",
    path: "/chat/files/:fileId",
    action: chat.file,
    params: downloadRules,
    download,
  }),
  row({
    method: "GET",
    path: "/profile/pictures/:fileId",
    action: media.picture,
    params: downloadRules,
    download,
  }),
];
