// Package broker is the hub's MQTT broker: it accepts connections, settles who
// is at the other end, decides every publish, subscription and delivery, hands
// messages to the hub before they are acknowledged, and routes them.
//
// Between each socket and the MQTT library (mochi-mqtt) sits the gate, a
// net.Conn of our own that knows MQTT's frames in both directions. The library
// keeps sessions, subscriptions and retained messages; everything that it does
// too late, too generously or not at all is done by the gate. In particular
// the gate takes inbound PUBLISH and PUBREL itself, so what the library knows
// as packet ids are outbound ones only. DESIGN.md says why and how.
//
// What always holds:
//   - the client id of a session is the one that the Authenticator gave, before
//     the session exists;
//   - no PUBACK or PUBREC leaves before Handler.Publish has returned nil, and
//     what it refused reaches nobody;
//   - nothing is delivered that the receiver's rules do not allow at that
//     moment;
//   - of one client id at most one connection lives, and Handler hears of its
//     end before it hears of the next one.
//
// Broker's methods may be called from any goroutine, also from a Handler's
// methods. A Handler is called from the connection's goroutine, but for what it
// is told of a will that was delayed, and of subscriptions that Reauthorize took.
package broker
