import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { type AnswerRoom, createAnswers } from "./answers.ts";

/** Answers of these sizes, asked for one after another, and who was let in, in order. */
function asked(max: number, sizes: readonly number[], slow?: () => void) {
  const answers = createAnswers({ max, arriveMs: slow ? 1 : 60_000 });
  const told: number[] = [];
  const rooms: AnswerRoom[] = sizes.map((bytes, i) =>
    answers.ask(bytes, { onRoom: () => void told.push(i), onSlow: slow ?? (() => {}) })
  );
  return { answers, told, rooms, free: () => rooms.forEach((room) => room.free()) };
}

Deno.test("createAnswers() lets in what fits, in the order in which they came", () => {
  const { answers, told, rooms, free } = asked(10, [6, 4, 5, 1]);
  deepStrictEqual(rooms.map(({ open }) => open), [true, true, false, false]);
  rooms[1]!.free();
  // The small one does not pass the large one, which would wait for ever.
  deepStrictEqual([told, answers.held, answers.waiting], [[], 6, 2]);
  rooms[0]!.arrived(false);
  deepStrictEqual([told, answers.held, answers.waiting], [[2, 3], 6, 0]);
  free();
  strictEqual(answers.held, 0);
});

Deno.test("createAnswers() lets one that is larger than all of it in alone", () => {
  const { told, rooms, free } = asked(10, [100, 100, 1]);
  deepStrictEqual(rooms.map(({ open }) => open), [true, false, false]);
  rooms[0]!.free();
  deepStrictEqual(told, [1]);
  rooms[1]!.free();
  deepStrictEqual(told, [1, 2]);
  free();
});

Deno.test("createAnswers() counts what has arrived until it is done with, and forgets who leaves the line", () => {
  const { answers, told, rooms, free } = asked(10, [10, 10, 10]);
  rooms[0]!.arrived(true);
  deepStrictEqual([told, answers.held], [[], 10]);
  rooms[1]!.free();
  rooms[1]!.free();
  rooms[0]!.free();
  deepStrictEqual([told, answers.held], [[2], 10]);
  free();
});

Deno.test("createAnswers() tells who does not arrive while others wait", async () => {
  const slow = Promise.withResolvers<void>();
  const { rooms, free } = asked(10, [10, 10], slow.resolve);
  const alive = setInterval(() => {}, 1000);
  await slow.promise;
  clearInterval(alive);
  ok(rooms[0]!.open && !rooms[1]!.open);
  free();
});

Deno.test("createAnswers() takes room back that nobody gives back", async () => {
  const answers = createAnswers({ max: 10, keepMs: 1 });
  const room = Promise.withResolvers<void>();
  const first = answers.ask(10, { onRoom() {}, onSlow() {} });
  const second = answers.ask(10, { onRoom: room.resolve, onSlow() {} });
  first.arrived(true);
  const alive = setInterval(() => {}, 1000);
  await room.promise;
  clearInterval(alive);
  ok(second.open);
  second.free();
});

Deno.test("createAnswers() lets nobody in to memory that is not collected yet", async () => {
  let collected = 0;
  const answers = createAnswers({ max: 10, collect: () => void collected++ });
  const room = Promise.withResolvers<void>();
  const host = { onRoom: room.resolve, onSlow() {} };
  const first = answers.ask(6, host);
  first.arrived(true);
  first.free();
  const second = answers.ask(4, host);
  deepStrictEqual([second.open, collected], [true, 0]);
  const third = answers.ask(6, host);
  ok(!third.open);
  await room.promise;
  deepStrictEqual([third.open, collected, answers.held], [true, 1, 10]);
  second.free();
  third.free();
});
