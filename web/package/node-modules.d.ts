// What the package uses of Node's own modules: their types are a package that would add Node's globals to the page's.

declare module "node:fs" {
  export function openAsBlob(path: string): Promise<Blob>;
  export function existsSync(path: string): boolean;
  export function openSync(path: string, flags: string): number;
  export function readSync(file: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  export function writeSync(file: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  export function fstatSync(file: number): { size: number };
  export function ftruncateSync(file: number, size: number): void;
  export function fsyncSync(file: number): void;
  export function closeSync(file: number): void;
}

declare module "node:fs/promises" {
  export function readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
  export function readdir(path: string): Promise<string[]>;
  export function stat(path: string): Promise<{ isDirectory(): boolean; mtimeMs: number }>;
  export function mkdir(path: string, options: { recursive: boolean }): Promise<unknown>;
  export function open(path: string, flags: string): Promise<{ close(): Promise<void> }>;
  export function rm(path: string, options: { recursive?: boolean; force?: boolean }): Promise<void>;
  export function utimes(path: string, read: Date, written: Date): Promise<void>;
}

declare module "node:os" {
  export function availableParallelism(): number;
  export function homedir(): string;
}

declare module "node:path" {
  export function basename(path: string): string;
  export function dirname(path: string): string;
  export function join(...parts: string[]): string;
}

declare module "node:process" {
  export const env: Readonly<Record<string, string | undefined>>;
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
