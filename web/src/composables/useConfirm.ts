/** Asking before something is lost: one question at a time, answered by whoever shows it. */

import { shallowRef } from 'vue';

export interface Question {
  title: string;
  text: string;
  /** What the two buttons say. */
  yes: string;
  no: string;
}

export type Confirm = ReturnType<typeof createConfirm>;

export function createConfirm() {
  const question = shallowRef<Question | null>(null);
  let resolve: (answer: boolean) => void = () => {};

  function answer(yes: boolean): void {
    question.value = null;
    resolve(yes);
  }

  return {
    question,
    answer,
    /** True for yes. A question that is still open is taken for a no. */
    ask(asked: Question): Promise<boolean> {
      resolve(false);
      question.value = asked;
      return new Promise((answered) => (resolve = answered));
    },
  };
}
