/** Describes the answer to a client's event, and what follows once the client has it. */
export interface EventAnswer<T> {
  readonly data: T;
  readonly onAcknowledged?: () => void;
}
