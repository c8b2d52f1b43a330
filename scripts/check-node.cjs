// Prints one line and exits if the Node in use is too old. Plain CommonJS, so that an old Node can run it.
"use strict";
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 15)) {
  console.error(
    `Parley needs Node 24.15 or newer, this is ${process.versions.node}. "npm ci" brings one, unless install scripts are off: run "npm rebuild node", or install Node 24.`,
  );
  process.exit(1);
}
