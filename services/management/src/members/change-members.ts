import { ApiError, type CreateMember, limits, type MemberRole, makeId } from '@bandit/contracts';
import { deleteMember as deleteRow, insertMember, listMembers, type Row, updateMemberRole } from '@bandit/db';
import { type Author, type ChangeDeps, changeCompany } from '../change-company.ts';
import { emailTaken } from '../companies/create-company.ts';

type MemberRow = Row<'members'>;

/** @throws ApiError EMAIL_TAKEN or LIMIT_REACHED */
export function addMember(deps: ChangeDeps, author: Author, body: CreateMember): Promise<MemberRow> {
  return changeCompany(deps, author, async (trx) => {
    const members = await listMembers(trx, author.companyId);
    if (members.length >= limits.membersPerCompanyMax) throw tooMany();
    const member = await insertMember(trx, {
      company_id: author.companyId,
      id: makeId('member', deps.randomBytes(16)),
      email: body.email.toLowerCase(),
      role: body.role,
    });
    if (!member) throw emailTaken();
    const note = { action: 'member.add', target: member.id, details: { role: member.role } };
    return { result: member, note };
  });
}

/** @throws ApiError MEMBER_NOT_FOUND, or LAST_ADMIN: a company keeps an admin, also when two demote each other */
export function changeRole(
  deps: ChangeDeps,
  author: Author,
  id: string,
  role: MemberRole,
): Promise<MemberRow> {
  return changeCompany(deps, author, async (trx) => {
    const members = await listMembers(trx, author.companyId);
    const member = getMember(members, id);
    if (member.role === role) return { result: member };
    if (role !== 'admin') checkNotLastAdmin(members, member);
    const changed = await updateMemberRole(trx, author.companyId, id, role);
    const details = { from: member.role, to: role };
    return { result: changed, note: { action: 'member.change-role', target: id, details } };
  });
}

/** @throws ApiError MEMBER_NOT_FOUND or LAST_ADMIN */
export function removeMember(deps: ChangeDeps, author: Author, id: string): Promise<MemberRow> {
  return changeCompany(deps, author, async (trx) => {
    const members = await listMembers(trx, author.companyId);
    const member = getMember(members, id);
    checkNotLastAdmin(members, member);
    await deleteRow(trx, author.companyId, id);
    return { result: member, note: { action: 'member.remove', target: id, details: { role: member.role } } };
  });
}

function getMember(members: readonly MemberRow[], id: string): MemberRow {
  const member = members.find((candidate) => candidate.id === id);
  if (member) return member;
  throw new ApiError('MEMBER_NOT_FOUND', 'member not found: the id names none of this company');
}

function checkNotLastAdmin(members: readonly MemberRow[], member: MemberRow): void {
  const isOtherAdmin = (other: MemberRow) => other.role === 'admin' && other.id !== member.id;
  if (member.role !== 'admin' || members.some(isOtherAdmin)) return;
  throw new ApiError('LAST_ADMIN', 'this is the last admin of the company; make another member admin first');
}

const tooMany = () =>
  new ApiError('LIMIT_REACHED', `this company has ${limits.membersPerCompanyMax} members, the most allowed`);
