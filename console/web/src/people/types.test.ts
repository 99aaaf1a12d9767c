import type { NewToken, NewUser, Role, SessionEntry, Token, User, UserChange } from "@obedio/web/people";
import type { AuditEntry, AuditVerification } from "@obedio/web/audit";
import { expectTypeOf, test } from "vitest";
import type { components } from "../api/schema";

type Schemas = components["schemas"];

test("the shared pages know people as this program's API has them", () => {
  expectTypeOf<Schemas["UserView"]>().toExtend<User>();
  expectTypeOf<Schemas["RoleView"]>().toExtend<Role>();
  expectTypeOf<Schemas["SessionView"]>().toExtend<SessionEntry>();
  expectTypeOf<Schemas["TokenView"]>().toExtend<Token>();
  expectTypeOf<Schemas["AuditEntry"]>().toExtend<AuditEntry>();
  expectTypeOf<Schemas["AuditVerification"]>().toExtend<AuditVerification>();
  expectTypeOf<NewUser>().toExtend<Schemas["NewUser"]>();
  expectTypeOf<UserChange>().toExtend<Schemas["UserChange"]>();
  expectTypeOf<NewToken>().toExtend<Schemas["NewToken"]>();
});
