/** Texts that no answer may contain, because they reveal internals: stack traces, files, stores, libraries. */
export const internalTexts =
  /\bat .+:\d|\.[jt]s\b|node_modules|node:internal|SQL|constraint|mongo|E11000|Cast to|moleculer|fastest|busboy|\$node|ECONN|ENOENT|EACCES|[A-Z]\w*Error\b|undefined|\[object|is not a function|cannot read|position \d|\/tmp\/|\/work/i;
