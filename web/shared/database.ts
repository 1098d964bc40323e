// IndexedDB by promises: stores of values by keys.

export class Database<Store extends string> {
  readonly #name: string;
  readonly #stores: readonly Store[];
  #opened: Promise<IDBDatabase> | null = null;

  constructor(name: string, stores: readonly Store[]) {
    [this.#name, this.#stores] = [name, stores];
  }

  async get(store: Store, key: string): Promise<unknown> {
    return result((await this.#read(store)).get(key));
  }

  async keys(store: Store): Promise<string[]> {
    return (await result((await this.#read(store)).getAllKeys())).map(String);
  }

  put(store: Store, key: string, value: unknown): Promise<void> {
    return this.#change(store, (open) => open.put(value, key));
  }

  remove(store: Store, key: string): Promise<void> {
    return this.#change(store, (open) => open.delete(key));
  }

  async clear(): Promise<void> {
    for (const store of this.#stores) await this.#change(store, (open) => open.clear());
  }

  #open(): Promise<IDBDatabase> {
    return (this.#opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => {
        for (const name of this.#stores) request.result.createObjectStore(name);
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error("IndexedDB could not be opened"));
      // Another tab holds an older version open.
      request.onblocked = () => reject(new Error("IndexedDB is in use by another tab"));
    }));
  }

  async #read(store: Store): Promise<IDBObjectStore> {
    return (await this.#open()).transaction(store).objectStore(store);
  }

  async #change(store: Store, change: (open: IDBObjectStore) => IDBRequest): Promise<void> {
    const transaction = (await this.#open()).transaction(store, "readwrite");
    change(transaction.objectStore(store));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error("IndexedDB could not be written"));
    });
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB could not be read"));
  });
}
