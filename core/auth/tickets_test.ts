import assert from "node:assert/strict";
import { createTickets } from "./tickets.ts";

const actor = { user: "user_1", role: "reader" } as const;

Deno.test("redeem() takes a ticket for a minute and no longer", () => {
  let ms = 0;
  const tickets = createTickets({ now: () => ms });
  const [early, late] = [tickets.issue(actor), tickets.issue(actor)];
  ms = 59_999;
  assert.deepEqual(tickets.redeem(early), actor);
  ms = 60_000;
  assert.equal(tickets.redeem(late), undefined);
});

Deno.test("redeem() knows no ticket that was not issued", () => {
  const tickets = createTickets();
  assert.equal(tickets.redeem(""), undefined);
  assert.equal(tickets.redeem("x".repeat(43)), undefined);
});

Deno.test("issue() forgets the oldest ticket when there are too many, and ended ones first", () => {
  let ms = 0;
  const tickets = createTickets({ now: () => ms, capacity: 2 });
  const [first, second, third] = [
    tickets.issue(actor),
    tickets.issue(actor),
    tickets.issue(actor),
  ];
  assert.equal(tickets.redeem(first), undefined);
  assert.deepEqual(tickets.redeem(second), actor);
  ms = 60_000;
  const fourth = tickets.issue(actor);
  assert.equal(tickets.redeem(third), undefined);
  assert.deepEqual(tickets.redeem(fourth), actor);
});
