package chaos

import "strconv"

// maxSources bounds the numbers of sources and tasks that are believed.
const maxSources = 1 << 16

const (
	keys      = 97 // of the fields grouping
	textBytes = 64
	alphabet  = "abcdefghijklmnopqrstuvwxyz012345"
)

// textOf is the text of a record: any other is a damaged one, or one of another run.
func textOf(run uint64, source int, number uint64) string {
	x := mix(run) ^ uint64(source)<<48 ^ number
	var b [textBytes]byte
	var letters uint64
	for i := range b {
		if i%8 == 0 {
			x += 0x9e3779b97f4a7c15
			letters = mix(x)
		}
		b[i] = alphabet[letters>>(i%8*8)&31]
	}
	return string(b[:])
}

// mix scatters the bits of x (the last steps of splitmix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// keyOf is the field by which a record is grouped.
func keyOf(number uint64) string { return "k" + strconv.FormatUint(number%keys, 10) }
