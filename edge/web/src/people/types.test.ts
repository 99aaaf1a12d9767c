import type { NewToken, NewUser, Role, SessionEntry, Tablet, Token, User, UserChange } from "@obedio/web/people";
import { expectTypeOf, test } from "vitest";
import type { components } from "../api/schema";

type Schemas = components["schemas"];

test("the shared pages know people as this program's API has them", () => {
  expectTypeOf<Schemas["UserView"]>().toExtend<User>();
  expectTypeOf<Schemas["RoleView"]>().toExtend<Role>();
  expectTypeOf<Schemas["SessionView"]>().toExtend<SessionEntry>();
  expectTypeOf<Schemas["TokenView"]>().toExtend<Token>();
  expectTypeOf<Schemas["TabletView"]>().toExtend<Tablet>();
  expectTypeOf<NewUser>().toExtend<Schemas["NewUser"]>();
  expectTypeOf<UserChange>().toExtend<Schemas["UserChange"]>();
  expectTypeOf<NewToken>().toExtend<Schemas["NewToken"]>();
});
