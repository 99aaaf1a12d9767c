// Package courier carries notifications to their receivers: signed webhook calls
// and mail. Both programs use it. What is to be carried, when, and how often it
// is tried is theirs; here is one try.
//
// What always holds: an answer that will be no other next time is a final
// Refusal; no error has the path of a webhook in it, which may be a secret; a
// redirect is no delivery, as captive portals answer so.
package courier
