package supervisor

import (
	"io"
	"os"
	"strings"
	"syscall"
)

const (
	tailBytes = 4 << 10
	tailLines = 12
)

// lastWords is how a worker's death ends up in a message: how it ended, and the last lines it wrote during its life, to
// standard error or else to its log.
func lastWords(how string, r workerRecord) string {
	text := tail(r.LogPath+".err", r.ErrStart)
	if text == "" {
		text = tail(r.LogPath, r.LogStart)
	}
	if text == "" {
		return how
	}
	return how + ", its last lines:\n" + text + "\n"
}

// tail gives the last lines of a file from a position on, "" if there are none or it cannot be read. The file lies where a
// worker may write, so a link is not followed and nothing but a regular file is read.
func tail(path string, from int64) string {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return ""
	}
	if from > st.Size() {
		from = 0 // moved aside at the launch
	}
	cut := max(from, st.Size()-tailBytes)
	data, err := io.ReadAll(io.NewSectionReader(f, cut, tailBytes))
	if err != nil {
		return ""
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(data), "\uFFFD"))
	lines := strings.Split(text, "\n")
	if cut > from && len(lines) > 1 {
		lines = lines[1:] // the first one is cut
	}
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// fileSize is 0 for a file that is not there.
func fileSize(path string) int64 {
	st, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}
