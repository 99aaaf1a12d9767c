/** The pages about people, tablets, sessions and API tokens of both programs. They come after the first load. */
export { en as peopleEnglish, type PeopleMessages, type PeopleTranslation } from "./en";
export * from "./PeopleTabs";
export { PeopleProvider, type Program } from "./program";
export type * from "./types";
