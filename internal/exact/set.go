package exact

// set is a set of the numbers from 0 on of which most are in.
type set struct {
	in []bool
	// n is how many are, through how many are without a gap from 0 on.
	n, through int
}

// maxNumber bounds the numbers that are believed: a record's, a count.
const maxNumber = 1 << 28

// add puts a number in and says whether it was not there.
func (s *set) add(i int) bool {
	for i >= len(s.in) {
		s.in = append(s.in, make([]bool, max(i+1-len(s.in), len(s.in), 64))...)
	}
	if s.in[i] {
		return false
	}
	s.in[i] = true
	s.n++
	for s.through < len(s.in) && s.in[s.through] {
		s.through++
	}
	return true
}

// missing is how many of the first n numbers are not in.
func (s *set) missing(n int) (missing int) {
	for i := s.through; i < n; i++ {
		if i >= len(s.in) || !s.in[i] {
			missing++
		}
	}
	return missing
}
