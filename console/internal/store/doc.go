// Package store is the port to the console's durable state, in the words of
// the domain: sites with their claims and hubs, what each hub has told, and
// the orders for it. An engine implements it (package badger); package
// storetest is the suite that every engine passes.
//
// What always holds: a transaction is there whole or not at all, and durable
// when the call returns nil; transactions on one site run one after the other,
// and one site's never wait for another's; a site is read and written only
// through its own transaction; the counts of a site change in the transaction
// that changes what they count; what people and hubs change at the console has
// its entry in the console's audit in the same transaction, and only there do
// transactions of several sites wait for each other.
//
// All methods of Store may be called from any goroutine. A SiteView or SiteTx
// belongs to the function that got it, and ends with it.
package store
