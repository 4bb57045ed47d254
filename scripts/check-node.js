// Plain JavaScript on purpose: an old Node must be able to read this before it meets a .ts file.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `This platform needs Node 22.19 or later, and ${process.execPath} is ${process.versions.node}. ` +
      'On Linux x64 and arm64 `npx -y pnpm@12.21.0 install` brings Node 24 into node_modules by itself; ' +
      'run the commands through `npx -y pnpm@12.21.0`, or install a newer Node.',
  );
  process.exit(1);
}
