package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// User is whom a worker runs as.
type User struct {
	Name   string `json:"name"`
	Home   string `json:"home"`
	UID    int    `json:"uid"`
	GID    int    `json:"gid"`
	Groups []int  `json:"groups"`
}

// LookupUser finds a user of this machine with the groups it is in. root is refused: a topology must not choose it.
func LookupUser(name string) (*User, error) {
	if name == "" {
		return nil, errors.New("the topology has no owner to run its workers as")
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("find user %q to run workers as: %w; make it on this machine, or set supervisor.run.worker.as.user to false", name, err)
	}
	out := &User{Name: name, Home: u.HomeDir}
	if out.UID, err = strconv.Atoi(u.Uid); err != nil {
		return nil, fmt.Errorf("user %q has the id %q", name, u.Uid)
	}
	if out.GID, err = strconv.Atoi(u.Gid); err != nil {
		return nil, fmt.Errorf("user %q has the group %q", name, u.Gid)
	}
	if out.UID == 0 {
		return nil, fmt.Errorf("user %q is root: workers are not run as root while supervisor.run.worker.as.user is set; submit as another user", name)
	}
	if out.GID == 0 {
		return nil, fmt.Errorf("user %q is in the group root, which would open what is root's: give the user another main group, or submit as another user", name)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("find groups of user %q: %w", name, err)
	}
	for _, g := range groups {
		n, err := strconv.Atoi(g)
		if err != nil || n == 0 {
			continue // the group root would open what is root's
		}
		out.Groups = append(out.Groups, n)
	}
	return out, nil
}

// Own gives a directory, which must be one and no link, to the user. Nobody else but root may enter it.
func (u *User) Own(dir string) error {
	f, err := openDir(dir)
	if err != nil {
		return fmt.Errorf("give %s to user %s: %w", dir, u.Name, err)
	}
	defer f.Close()
	if err := errors.Join(f.Chmod(0o700), f.Chown(u.UID, u.GID)); err != nil {
		return fmt.Errorf("give %s to user %s: %w", dir, u.Name, err)
	}
	return nil
}

// LetRead opens a directory tree to the user's main group, for reading and, where its owner may, executing. Links are not
// followed; nothing in the tree can be changed by the user.
func (u *User) LetRead(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("let user %s read %s: %w", u.Name, dir, err)
	}
	defer root.Close()
	if err := u.letRead(root, "."); err != nil {
		return fmt.Errorf("let user %s read %s: %w", u.Name, dir, err)
	}
	return nil
}

func (u *User) letRead(root *os.Root, name string) error {
	st, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if !st.IsDir() && !st.Mode().IsRegular() {
		return nil
	}
	perm := st.Mode().Perm()
	want := perm | perm>>3&0o050
	if want != perm || groupOf(st) != u.GID {
		if err := errors.Join(root.Lchown(name, -1, u.GID), root.Chmod(name, want)); err != nil {
			return err
		}
	}
	if !st.IsDir() {
		return nil
	}
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	entries, err := d.Readdirnames(-1)
	d.Close()
	for _, e := range entries {
		if err == nil {
			err = u.letRead(root, name+"/"+e)
		}
	}
	return err
}

func openDir(dir string) (*os.File, error) {
	st, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, fmt.Errorf("%s is no directory", dir)
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|noFollowDir, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}
