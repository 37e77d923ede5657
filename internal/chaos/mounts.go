package chaos

import (
	"os"
	"strings"
)

// Source is the name of what is mounted for the cluster: whatever has it is unmounted when the cluster ends.
func (c *Cluster) Source() string { return linkPrefix + c.mark }

// mountsOf lists where something of that source is mounted.
func mountsOf(source string) (points []string, err error) {
	b, err := os.ReadFile("/proc/self/mountinfo") // see proc(5)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if ok && len(fields) > 4 && len(rest) > 1 && rest[1] == source {
			points = append(points, strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4]))
		}
	}
	return points, nil
}
