package worker

import "strings"

// userFrames cuts the stack of a panic in a component down to the calls between the engine and the panic, a line each
// and without addresses: the same panic reads the same each time, which lets readers join what repeats. A stack of
// another form comes back as it is.
func userFrames(stack string) string {
	_, rest, ok := strings.Cut(stack, "\npanic(")
	if !ok {
		return stack
	}
	lines := strings.Split(rest, "\n")
	var b strings.Builder
	for i := 2; i+1 < len(lines); i += 2 { // behind panic's own two lines
		call, where := lines[i], strings.TrimSpace(lines[i+1])
		if strings.HasPrefix(call, enginePackage) {
			break
		}
		if strings.HasPrefix(call, "runtime.") && b.Len() == 0 {
			continue // how it came to the panic
		}
		if n := strings.LastIndexByte(call, '('); n > 0 {
			call = call[:n]
		}
		if n := strings.LastIndex(where, " +0x"); n > 0 {
			where = where[:n]
		}
		b.WriteString("\t" + call + " " + where + "\n")
	}
	if b.Len() == 0 {
		return stack
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// enginePackage is how the names of the engine's functions begin.
const enginePackage = "github.com/gearstorm/gearstorm/gearcore/engine."
