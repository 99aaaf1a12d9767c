// Package security tells the audit what happens to the site's security: who was
// denied what, who came with wrong credentials or a wrong certificate, which
// addresses were banned, when the disk stopped things, and what people did that
// touches keys and copies of the data. What is going on now is in denial and in
// the broker; what must still be known in years is told here.
//
// What always holds: what an entry says has happened, and no secret is in it;
// the same thing of the same subject makes one entry at once, then one each
// Every at the most, each with the number of times, more rarely the longer it
// goes on; MaxSubjects of an action are told apart, and the rest are one
// subject; no more than PerHour entries an hour are written by themselves, half
// of them about one action, and what was left out is counted in an entry that
// closes the hour. So no flood fills the disk, hides another one, or goes by
// unseen. What people do is written always, with the person.
//
// What comes while nothing can be written is counted, and written when it can
// be; it is lost only if the hub ends before. All methods may be called from any goroutine, and none but Record blocks;
// Run from one.
package security
