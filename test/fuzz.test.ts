/**
 * Generated and mutated requests over every route of the embedded platform, and bytes that are hardly HTTP: nothing may
 * answer 5xx but what was decided, every answer keeps the envelope, and afterwards the platform still learns.
 */
import t from 'tap';
import { checkFuzz } from './fuzz/check-fuzz.ts';

checkFuzz(t, 'embedded', 1);
