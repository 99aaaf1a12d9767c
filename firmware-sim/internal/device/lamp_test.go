package device

import "testing"

func TestLamp_FollowsTheNewestPress(t *testing.T) {
	one, two := Press{BootID: "b", Sequence: 1}, Press{BootID: "b", Sequence: 2}
	l := light{lamp: LampOff}
	for i, step := range []struct {
		do   func()
		want Lamp
	}{
		{func() { l.receipt(one.key(), stageStored) }, LampOff}, // of an earlier life
		{func() { l.pressed(one) }, LampWaiting},
		{func() { l.receipt(one.key(), stageStored) }, LampStored},
		{func() { l.pressed(two) }, LampWaiting},
		{func() { l.receipt(one.key(), stageAccepted) }, LampWaiting}, // says nothing of the second press
		{func() { l.receipt(two.key(), stageAccepted) }, LampAccepted},
		{func() { l.receipt(two.key(), stageStored) }, LampAccepted}, // late
		{func() { l.receipt(two.key(), stageCompleted) }, LampOff},
		{func() { l.receipt(two.key(), stageAccepted) }, LampOff},
	} {
		if step.do(); l.lamp != step.want {
			t.Fatalf("step %d: lamp is %s, want %s", i, l.lamp, step.want)
		}
	}
}
