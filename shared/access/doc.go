// Package access decides who may do what on the broker: roles with rules as
// in Mosquitto's dynamic security, compiled for one client into an immutable
// list, and Decide, which goes through that list. The first rule that applies
// decides; where none applies, the answer is no.
//
// # The order in which a client's rules are asked
//
//  1. Roles in the order of their priority, the greatest first.
//  2. Among equal priorities: roles of lists that name the device, then of
//     those that name its profile, then its type (in each group by the lists'
//     ids), then of the lists that its profile names, then the profile's own
//     rules (priority 0), then what it may do for the devices that it relays.
//  3. In a role: rules in the order of their priority, the greatest first, and
//     as written among equal ones.
//
// # A device's own list and its profile
//
// A list with replaces_profile stands, for the devices that it names, in place
// of the profile's own rules, of the lists that the profile names and of
// relay. A device's own list of topics (DeviceACL) is such a list. So what the
// list does not allow is denied, however generous the profile is. Other lists
// about the device, its profile or its type are asked all the same, the higher
// priorities first: a ban for the whole site reaches such a device too. Its
// retain and max_qos take the place of the profile's; max_connections, rate,
// certificate and reporting interval stay the profile's.
//
// # After the rules
//
// A message that the rules let a client send is still refused, and never
// changed, when its QoS is above max_qos or when it asks to be retained and
// may not (Grant.Decide). $SYS/… can be subscribed to and be delivered where a
// rule that begins with $SYS/ says so; # and + never match it [MQTT-4.7.2-1],
// and nobody publishes there.
//
// Everything is pure. A *Rules and a *Policy may be used from any number of
// goroutines.
package access
