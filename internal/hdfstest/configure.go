package hdfstest

import (
	"encoding/xml"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// Page is how many files a name node lists at once to its own clients.
const Page = 50

func (c *Cluster) conf() string { return filepath.Join(c.dir, "conf") }

// configure writes the files that all nodes read. rpc is where the name node is to serve its own protocol.
func (c *Cluster) configure(rpc string) error {
	for _, web := range []string{"hdfs", "datanode"} { // their pages, which are in no jar; none are needed
		if err := os.MkdirAll(filepath.Join(c.conf(), "webapps", web), 0o700); err != nil {
			return err
		}
	}
	host, port, err := net.SplitHostPort(c.Gateway.addr)
	if err != nil {
		return err
	}
	const anywhere = "127.0.0.1:0"
	files := map[string][]byte{
		"core-site.xml": properties(map[string]string{
			"fs.defaultFS":   "hdfs://" + rpc,
			"hadoop.tmp.dir": filepath.Join(c.dir, "tmp"),
			// no program is run to find out about groups
			"hadoop.user.group.static.mapping.overrides": Superuser + "=supergroup;" + User + "=" + User + ";other=other;dr.who=",
			"hadoop.proxyuser." + Superuser + ".hosts":   "*",
			"hadoop.proxyuser." + Superuser + ".groups":  "*",
			"ipc.client.connect.retry.interval":          "100",
			"ipc.client.connect.max.retries":             "600",
		}),
		"hdfs-site.xml": properties(map[string]string{
			"dfs.replication":                                           "1",
			"dfs.blocksize":                                             "1048576", // a large file has several
			"dfs.namenode.name.dir":                                     "file://" + filepath.Join(c.dir, "name"),
			"dfs.namenode.http-address":                                 c.NameNode.addr,
			"dfs.namenode.resource.du.reserved":                         "1048576",
			"dfs.ls.limit":                                              strconv.Itoa(Page),
			"dfs.namenode.handler.count":                                "4",
			"dfs.namenode.service.handler.count":                        "2",
			"dfs.namenode.safemode.min.datanodes":                       "1",
			"dfs.namenode.safemode.extension":                           "0",
			"dfs.namenode.datanode.registration.ip-hostname-check":      "false",
			"dfs.namenode.metrics.logger.period.seconds":                "0",
			"dfs.datanode.metrics.logger.period.seconds":                "0",
			"dfs.datanode.data.dir":                                     "file://" + filepath.Join(c.dir, "data"),
			"dfs.datanode.hostname":                                     "127.0.0.1",
			"dfs.datanode.address":                                      anywhere,
			"dfs.datanode.ipc.address":                                  anywhere,
			"dfs.datanode.http.address":                                 anywhere,
			"dfs.datanode.handler.count":                                "2",
			"dfs.heartbeat.interval":                                    "1",
			"dfs.client.block.write.replace-datanode-on-failure.policy": "NEVER",
		}),
		"httpfs-site.xml": properties(map[string]string{
			"httpfs.http.hostname": host,
			"httpfs.http.port":     port,
		}),
		"httpfs-signature.secret": []byte("for tests only\n"),
	}
	for _, name := range []string{"log4j.properties", "httpfs-log4j.properties"} {
		files[name] = []byte("log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n" +
			"log4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=%d %p %c: %m%n\n")
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(c.conf(), name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// properties is a configuration file of Hadoop's.
func properties(p map[string]string) []byte {
	type property struct {
		Name  string `xml:"name"`
		Value string `xml:"value"`
	}
	file := struct {
		XMLName  xml.Name   `xml:"configuration"`
		Property []property `xml:"property"`
	}{}
	for name, value := range p {
		file.Property = append(file.Property, property{name, value})
	}
	b, err := xml.Marshal(file)
	if err != nil {
		panic(err) // of two strings
	}
	return b
}
