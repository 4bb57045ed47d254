import type { Migration } from 'kysely/migration';
import * as tenants from './0001-tenants.ts';
import * as facts from './0002-facts.ts';
import * as learner from './0003-learner.ts';
import * as roles from './0004-roles.ts';
import * as accept from './0005-accept.ts';
import * as rebuild from './0006-rebuild.ts';
import * as recordAssignments from './0007-record-assignments.ts';
import * as retention from './0008-retention.ts';
import * as eraser from './0009-roles.ts';
import * as schemaVersion from './0010-schema-version.ts';
import * as erasure from './0011-erasure.ts';

/** In order of their names; a shipped one is never edited, only followed by another. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-tenants': tenants,
  '0002-facts': facts,
  '0003-learner': learner,
  '0004-roles': roles,
  '0005-accept': accept,
  '0006-rebuild': rebuild,
  '0007-record-assignments': recordAssignments,
  '0008-retention': retention,
  '0009-roles': eraser,
  '0010-schema-version': schemaVersion,
  '0011-erasure': erasure,
};
