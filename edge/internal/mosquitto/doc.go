// Package mosquitto moves password files and dynamic security files of
// Mosquitto (2.0) into the hub and out of it.
//
// In: a user whose name is a registered device's id gets that password, as the
// hash it is, so that the device goes on connecting; roles become ACL
// documents that take the place of the profile for the devices that had them.
// What cannot be translated is reported, entry by entry, and the rest is
// imported. Rights never grow: an allowing rule that cannot be translated is
// left out, and a client with a denying one is left out whole.
//
// Out: files that Mosquitto 2.0.11 loads. It has no variables, so rules with
// variables are written out for each device. What the hub has and Mosquitto
// has not (QoS, retain, rates) is reported.
//
// Bringing in what was brought out gives the same decisions, and, for documents
// without variables that came from Mosquitto, the same documents again.
// Reading, translating and writing are pure; Mover has the effects, each import
// in one transaction. All its methods may be called from any goroutine.
package mosquitto
