import type { VariantStrategy } from '@bandit/contracts';

/** What each strategy asks of the writer: its idea, how to apply it, and what spoils it. */
export const strategyPrompts: Readonly<Record<VariantStrategy, string>> = {
  'emotional appeal': `Strategy: emotional appeal.
Speak to one concrete feeling that the offer can honestly cause: relief, pride, joy, belonging, or the wish to avoid a loss.
Show a moment the reader knows from their own life instead of naming the feeling. Choose warm, sensory words over abstract ones.
Avoid melodrama, guilt, fear without a way out, and strings of exclamation marks.`,

  urgency: `Strategy: urgency.
Give the reader an honest reason to act now rather than later: a date, a limited number, a cost of waiting, a change that is coming.
Use only deadlines, quantities and offers that stand in the existing treatments; where there are none, make acting now easy and
natural ("today", "in two minutes") instead of inventing scarcity. Begin with a verb. Avoid capitals for shouting and countdowns.`,

  'social proof': `Strategy: social proof.
Let other people's choices speak: who uses it, what people like the reader do, what they say afterwards.
Use only numbers, names and quotations that stand in the existing treatments; where there are none, refer to people in words
("teams that ...", "people who ...") and claim no figures. Avoid superlatives such as "everyone" and invented testimonials.`,

  curiosity: `Strategy: curiosity.
Open a gap between what the reader knows and what they would like to know, and let the next step close it.
Be specific about the subject and silent about the answer; one surprising, true detail is worth more than a vague tease.
Avoid clickbait: the promise must be kept by what follows, and the reader must see what it is about.`,

  authority: `Strategy: authority.
Rest the message on expertise: a method, a standard, experience, evidence, a precise number or term of the field.
Use only credentials, awards, studies and figures that stand in the existing treatments; where there are none, show competence by
precise, calm and verifiable wording. Avoid boasting, jargon for its own sake, and appeals to unnamed experts.`,

  'benefit focus': `Strategy: benefit focus.
Say first what the reader gets and how their day is better for it; put features second or leave them out.
Prefer one benefit, stated concretely (time, money, effort, result), to a list of three. Write to "you".
Avoid adjectives that could praise anything, and benefits that the existing treatments give no ground for.`,

  simplicity: `Strategy: simplicity.
Say one thing in the fewest plain words that still say it. Short sentences, common words, one idea, one action.
Cut every word whose loss nobody would notice; prefer a familiar verb to a noun phrase.
Avoid wordplay, subordinate clauses, and brevity that leaves out what the reader must know.`,

  personalization: `Strategy: personalization.
Address one kind of reader so directly that they feel meant: their situation, role, goal or stage, in their own words.
Infer that reader from the existing treatments; speak in the second person and name the situation, never private data.
Use no placeholders such as {{name}} unless an existing treatment uses the same one. Avoid addressing everybody at once.`,
};
