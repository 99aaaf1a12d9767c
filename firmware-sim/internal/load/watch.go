package load

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what the watched processes, with all that descend from them, used
// while the clients sent and waited for the last answers.
type Usage struct {
	// CPUSeconds are user and system time.
	CPUSeconds float64 `json:"cpu_s"`
	// CPUMicrosPerMessage are of the messages that were sent.
	CPUMicrosPerMessage float64 `json:"cpu_us_per_message"`
	// ResidentBytes at the end, and at the most.
	ResidentBytes    int64 `json:"resident_bytes"`
	ResidentMaxBytes int64 `json:"resident_max_bytes"`
	// Growth is what was resident at the end divided by what was after a fifth of
	// the time.
	Growth float64 `json:"resident_growth"`
}

// ticks of a second in /proc; the kernel fixes them for user space.
const ticks = 100

// process is one line of /proc/PID/stat, as far as it is needed.
type process struct {
	pid, parent int
	cpu         time.Duration // of itself and of children that have ended
	resident    int64
}

func readProcess(pid int) (process, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, err
	}
	// The name in parentheses may hold anything; fields are counted after it.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 22 {
		return process{}, fmt.Errorf("stat of process %d: too short", pid)
	}
	n := func(i int) int64 {
		v, _ := strconv.ParseInt(f[i-3], 10, 64) // numbered as in proc(5); written by the kernel
		return v
	}
	return process{
		pid: pid, parent: int(n(4)),
		cpu:      time.Duration(n(14)+n(15)+n(16)+n(17)) * time.Second / ticks,
		resident: n(24) * int64(os.Getpagesize()),
	}, nil
}

// usage sums up the processes and their descendants.
func usage(pids []int) (cpu time.Duration, resident int64, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, 0, err
	}
	all := map[int]process{}
	children := map[int][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, err := readProcess(pid)
		if err != nil {
			continue // it has just ended
		}
		all[pid] = p
		children[p.parent] = append(children[p.parent], pid)
	}
	seen := map[int]bool{}
	var add func(pid int)
	add = func(pid int) {
		if p, ok := all[pid]; ok && !seen[pid] {
			seen[pid] = true
			cpu += p.cpu
			resident += p.resident
			for _, c := range children[pid] {
				add(c)
			}
		}
	}
	for _, pid := range pids {
		if _, ok := all[pid]; !ok {
			return 0, 0, fmt.Errorf("process %d is not there", pid)
		}
		add(pid)
	}
	return cpu, resident, nil
}

// watch measures the processes until stop is closed.
func watch(pids []int, whole time.Duration, stop <-chan struct{}) (func() (*Usage, error), error) {
	if len(pids) == 0 {
		return func() (*Usage, error) { return nil, nil }, nil
	}
	before, resident, err := usage(pids)
	if err != nil {
		return nil, err
	}
	most, early := resident, int64(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		began := time.Now()
		tick := time.NewTicker(max(100*time.Millisecond, min(time.Second, whole/50)))
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if _, now, err := usage(pids); err == nil {
				most = max(most, now)
				if early == 0 && time.Since(began) >= whole/5 {
					early = now
				}
			}
		}
	}()
	return func() (*Usage, error) {
		<-done
		after, resident, err := usage(pids)
		if err != nil {
			return nil, err
		}
		u := &Usage{CPUSeconds: (after - before).Seconds(), ResidentBytes: resident, ResidentMaxBytes: max(most, resident)}
		if early > 0 {
			u.Growth = float64(resident) / float64(early)
		}
		return u, nil
	}, nil
}
