// What the package uses of Node's own modules: their types are a package that would add Node's globals to the page's.

declare module "node:fs" {
  export function openAsBlob(path: string): Promise<Blob>;
  export function existsSync(path: string): boolean;
}

declare module "node:fs/promises" {
  export function readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
  export function readdir(path: string): Promise<string[]>;
  export function stat(path: string): Promise<{ isDirectory(): boolean }>;
}

declare module "node:os" {
  export function availableParallelism(): number;
}

declare module "node:path" {
  export function basename(path: string): string;
  export function dirname(path: string): string;
  export function join(...parts: string[]): string;
}

declare module "node:url" {
  export function fileURLToPath(url: URL): string;
}

declare module "node:worker_threads" {
  export class Worker {
    constructor(script: URL, options: { workerData: unknown });
    on(event: string, listener: (value: unknown) => void): this;
    postMessage(message: unknown, transfer?: readonly Transferable[]): void;
    terminate(): Promise<number>;
    ref(): void;
    unref(): void;
  }
  export const workerData: { name: string };
  export const parentPort: { on(event: "message", listener: (value: unknown) => void): void; postMessage(message: unknown, transfer?: readonly Transferable[]): void };
}
