/** Pictures of users and groups: who may set and see them, how they are processed, and the removal of replaced ones. */
import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import sharp from "sharp";
import { eventually } from "../../support/eventually.ts";
import { gpsPhoto, pngBomb } from "../../support/files/images.ts";
import { requestJson, type Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";
import { download, file, formBytes, formType, sendForm, text } from "../../support/files/uploads.ts";

const nobody = "0123456789abcdef01234567";
const pictureUrl = /^\/profile\/pictures\/[0-9a-f]{24}$/;

/** An image of about 300 kB. */
const noisy = (): Promise<Buffer> =>
  sharp(randomBytes(330 * 330 * 3), { raw: { width: 330, height: 330, channels: 3 } })
    .png()
    .toBuffer();
const plain = (background: string, width = 60, height = 40): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
const dataUri = (bytes: Buffer, type = "image/png"): string => `data:${type};base64,${bytes.toString("base64")}`;
const patch = (person: Person, changes: object) => person.put("/profile/patchProfile", changes);
const picture = (bytes: string | Uint8Array, field = "profilePic") => file(bytes, "me.png", "image/png", field);

story("Profile pictures", (world) => {
  test("setting and fetching a profile picture needs a session", async () => {
    const [url] = world.gateways();
    const body = { profilePic: dataUri(await plain("red")) };
    expect(await requestJson(url, "PUT", "/profile/patchProfile", { body })).toMatchObject({
      status: 401,
      body: { code: "UNAUTHENTICATED" },
    });
    const form = { body: formBytes([picture("x")]).toString("latin1"), headers: { "content-type": formType } };
    expect((await requestJson(url, "PUT", "/profile/patchProfile", form)).status).toBe(401);
    expect((await requestJson(url, "GET", `/profile/pictures/${nobody}`)).status).toBe(401);
  });

  test("a data URI and a form give the same: a square of 512 pixels, a thumbnail of 96, no metadata, for any signed-in user", async () => {
    const [a, stranger] = await world.people(2);
    const photo = await gpsPhoto(900, 600);
    for (const send of [
      () => patch(a, { profilePic: dataUri(photo, "image/jpeg"), age: 41 }),
      () => sendForm(a, "PUT", "/profile/patchProfile", [picture(photo), text("age", "41")]),
      () => sendForm(a, "PUT", "/profile/patchProfile", [text("age", "41"), picture(photo, "file")]),
    ]) {
      const changed = await send();
      expect(changed).toMatchObject({ status: 200, body: { data: { age: 41, profilePic: expect.stringMatching(pictureUrl) } } });
      const path: string = changed.body.data.profilePic;
      expect((await stranger.get(`/profile/profile/${a.id}`)).body.data.profilePic).toBe(path);
      for (const [url, side] of [
        [path, 512],
        [`${path}?thumb=1`, 96],
      ] as const) {
        const { status, headers, bytes } = await download(stranger, url);
        expect({ status, etag: headers.get("etag") }).toEqual({ status: 200, etag: expect.any(String) });
        const { exif, orientation, width, height } = await sharp(bytes).metadata();
        expect({ exif, orientation, width, height }).toEqual({ width: side, height: side });
        expect((await download(stranger, url, { "if-none-match": headers.get("etag")! })).status).toBe(304);
      }
    }
  });

  test("a picture can be kept, removed, and changed with other fields or alone", async () => {
    const a = await world.person();
    const { profilePic } = (await patch(a, { profilePic: dataUri(await plain("red")) })).body.data;
    expect((await patch(a, { profilePic })).body.data.profilePic).toBe(profilePic);
    expect((await patch(a, { profilePic, about: "Likes rain" })).body.data).toMatchObject({ profilePic, about: "Likes rain" });
    expect((await patch(a, { about: null })).body.data.profilePic).toBe(profilePic);
    expect((await patch(a, { profilePic: null })).body.data.profilePic).toBeNull();
    for (const url of world.gateways()) expect((await a.at(url).get("/profile/getProfile")).body.data.profilePic).toBeNull();
  });

  test("a replaced picture is gone for everyone", async () => {
    const [a, b] = await world.people(2);
    const urls: string[] = [];
    for (const colour of ["red", "green"]) urls.push((await patch(a, { profilePic: dataUri(await plain(colour)) })).body.data.profilePic);
    await patch(a, { profilePic: null });
    for (const url of urls) await eventually("the picture is gone", async () => (await download(b, url)).status === 404);
  });

  test("concurrent changes leave one picture, and the others are removed", async () => {
    const a = await world.person();
    const [red, green] = await Promise.all([plain("red"), plain("green")]);
    const answers = await Promise.all(
      [red, green, red, green].map((bytes) => sendForm(a, "PUT", "/profile/patchProfile", [picture(bytes)])),
    );
    const { profilePic: kept } = (await a.get("/profile/getProfile")).body.data;
    const urls = answers.filter(({ status }) => status === 200).map(({ body }) => body.data.profilePic as string);
    expect(urls.length).toBeGreaterThan(0);
    expect((await download(a, kept)).status).toBe(200);
    for (const url of urls.filter((url) => url !== kept)) {
      await eventually("the replaced picture is gone", async () => (await download(a, url)).status === 404);
    }
  });

  test.each([
    ["the URL of another user's picture", () => `/profile/pictures/${nobody}`, 400],
    ["the URL of another site", () => "https://evil.example/pixel.png", 400],
    ["a data URI that is not base64", () => "data:image/png,%89PNG", 400],
    ["a data URI with invalid base64", () => "data:image/png;base64,@@@@", 400],
    ["an empty data URI", () => "data:image/png;base64,", 400],
    ["a number", () => 7, 400],
    ["HTML declared as an image", () => dataUri(Buffer.from("<script>alert(1)</script>")), 415],
    ["SVG", () => dataUri(Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg"/>`), "image/svg+xml"), 415],
    ["a PDF", () => dataUri(Buffer.from("%PDF-1.7\n"), "application/pdf"), 415],
    ["a decompression bomb", () => dataUri(pngBomb(50_000, 50_000)), 400],
    ["an image cut in half", () => dataUri(pngBomb(10, 10).subarray(0, 60)), 400],
    ["more than 5 MB", () => dataUri(Buffer.alloc(5 * 1024 * 1024 + 1)), 413],
    ["more than 7 MB", () => dataUri(Buffer.alloc(6 * 1024 * 1024)), 413],
  ])("%s is refused and changes nothing", async (_what, profilePic, status) => {
    const a = await world.person();
    const before = (await patch(a, { profilePic: dataUri(await plain("red")) })).body.data;
    expect(await patch(a, { about: "changed", profilePic: profilePic() })).toMatchObject({
      status,
      body: { code: { 400: "VALIDATION", 413: "TOO_LARGE", 415: "UNSUPPORTED_TYPE" }[status] },
    });
    expect((await a.get("/profile/getProfile")).body.data).toEqual(before);
    expect((await download(a, before.profilePic)).status).toBe(200);
  });

  test.each([
    ["two files", () => [picture("x"), picture("y", "file")], 400],
    ["a file and a URL", () => [picture("x"), text("profilePic", "/profile/pictures/x")], 400],
    ["an unknown field", () => [picture("x"), text("role", "admin")], 400],
    ["an age in words", () => [picture("x"), text("age", "forty")], 400],
    ["a file that is not an image", () => [picture("just text")], 415],
    ["a file over 5 MB", () => [picture(Buffer.alloc(5 * 1024 * 1024 + 1))], 413],
  ])("a form with %s is refused", async (_what, parts, status) => {
    const a = await world.person();
    expect((await sendForm(a, "PUT", "/profile/patchProfile", parts())).status).toBe(status);
    expect((await a.get("/profile/getProfile")).body.data).toMatchObject({ profilePic: null, age: null });
  });

  test("a JSON body over 100 kB is accepted only if the picture makes it so long", async () => {
    const a = await world.person();
    const put = (body: string) => a.request("PUT", "/profile/patchProfile", { body, headers: { "content-type": "application/json" } });
    const many = JSON.stringify(Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [i, 1])));
    const deep = `{"about":${"[".repeat(2_000_000)}`;
    const elsewhere = JSON.stringify({ about: dataUri(Buffer.alloc(200_000)) });
    const beside = JSON.stringify({ profilePic: dataUri(Buffer.alloc(200_000)), about: "x".repeat(110_000) });
    for (const body of [many, deep, elsewhere, beside]) expect(await put(body)).toMatchObject({ status: 413, body: { code: "TOO_LARGE" } });
    expect((await a.get("/profile/getProfile")).body.data).toMatchObject({ profilePic: null });
    // Escaped slashes, as PHP writes them.
    const large = JSON.stringify({ about: 'I say "data:"', profilePic: dataUri(await noisy()) }).replaceAll("/", String.raw`\/`);
    expect(large.length).toBeGreaterThan(200_000);
    expect(await put(large)).toMatchObject({ status: 200, body: { data: { about: 'I say "data:"', profilePic: expect.any(String) } } });
  });

  test("other routes still refuse JSON over 100 kB", async () => {
    const a = await world.person();
    expect((await a.post("/request/invite/send", { toEmail: "x".repeat(200_000) })).status).toBe(413);
  });

  test("the file of a chat cannot be fetched as a profile picture", async () => {
    const { a, chatId } = await world.pair();
    const sent = await sendForm(a, "POST", "/chat/send-file", [text("chatId", chatId), file(await plain("red"), "a.png")]);
    expect((await download(a, `/profile/pictures/${sent.body.file._id}`)).status).toBe(404);
  });
});

story("Group pictures", (world) => {
  test("only admins can set a group picture, and only members can fetch it", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members as [Person, Person, Person];
    const stranger = await world.person();
    const path = `/chat/groups/${chatId}`;
    const body = { picture: dataUri(await plain("red")) };
    const parts = [picture(await plain("red"), "picture")];
    expect((await requestJson(admin.url, "PATCH", path, { body })).status).toBe(401);
    for (const one of [member, stranger]) {
      expect(await one.patch(path, body)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
      expect((await sendForm(one, "PATCH", path, parts)).status).toBe(403);
    }
    const changed = await admin.patch(path, body);
    expect(changed).toMatchObject({ status: 200, body: { picture: expect.stringMatching(/^\/chat\/files\/[0-9a-f]{24}$/) } });
    const { bytes } = await download(member, changed.body.picture);
    expect(await sharp(bytes).metadata()).toMatchObject({ width: 512, height: 512 });
    expect((await download(member, `${changed.body.picture}?thumb=1`)).status).toBe(200);
    expect((await download(stranger, changed.body.picture)).status).toBe(404);
  });

  test("name and picture change together or alone, also in a form, and the replaced picture is gone", async () => {
    const { members, chatId } = await world.group(3);
    const [admin, member] = members;
    const path = `/chat/groups/${chatId}`;
    const first = (await admin.patch(path, { name: "Walkers", picture: dataUri(await plain("red")) })).body;
    expect(first.name).toBe("Walkers");
    const second = (await sendForm(admin, "PATCH", path, [text("name", "Runners"), picture(await plain("blue"), "file")])).body;
    expect(second).toMatchObject({ name: "Runners", picture: expect.any(String) });
    expect(second.picture).not.toBe(first.picture);
    await eventually("the first picture is gone", async () => (await download(member!, first.picture)).status === 404);
    expect((await admin.patch(path, { name: "Sitters" })).body).toMatchObject({ name: "Sitters", picture: second.picture });
    expect((await admin.patch(path, { picture: null })).body.picture).toBeNull();
    await eventually("the second picture is gone", async () => (await download(member!, second.picture)).status === 404);
  });

  test.each([
    ["a URL", { picture: "https://evil.example/pixel.png" }, 400],
    ["text", { picture: dataUri(Buffer.from("hello")) }, 415],
    ["an empty body", {}, 400],
  ])("a group picture given as %s is refused", async (_what, body, status) => {
    const { members, chatId } = await world.group(3);
    expect((await members[0].patch(`/chat/groups/${chatId}`, body)).status).toBe(status);
  });
});
