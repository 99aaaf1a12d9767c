import type { Texts, Translation } from "@obedio/web";

const en = {
  "people.title": "People",
  "people.title.detail": "You, the crew, tablets and who is signed in",
  "signin.who": "Who are you?",
  "signin.nobody": "Nobody has a PIN yet",
  "signin.nobody.detail": "A chief sets one under People. Until then, sign in with a password.",
  "signin.password": "Sign in with a password",
  "signin.names": "Choose a name instead",
  "signin.type": "Type your PIN.",
  "signin.typed": ({ n }: { n: number }) => `${n} of 6 digits`,
  "signin.keypad": "Keypad",
  "signin.back": "Somebody else",
  "signin.erase": "Erase the last digit",
  "signin.wrong": "That PIN is wrong.",
};

const de: Translation<typeof en> = {
  "people.title": "Personen",
  "people.title.detail": "Ich, die Crew, Tablets und wer angemeldet ist",
  "signin.who": "Wer ist da?",
  "signin.nobody": "Noch hat niemand eine PIN",
  "signin.nobody.detail": "Ein Chief setzt sie unter Personen. Bis dahin mit Passwort anmelden.",
  "signin.password": "Mit Passwort anmelden",
  "signin.names": "Lieber einen Namen wählen",
  "signin.type": "PIN eingeben.",
  "signin.typed": ({ n }) => `${n} von 6 Ziffern`,
  "signin.keypad": "Ziffernfeld",
  "signin.back": "Jemand anderes",
  "signin.erase": "Letzte Ziffer löschen",
  "signin.wrong": "Diese PIN ist falsch.",
};

/** Signing in, and the way to people. */
export const signin: Texts<typeof en> = { en, de };
