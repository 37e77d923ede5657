package storm

// JavaBolt returns the bolt that is an object of a Java class, made by its constructor that takes args, all of them texts. The class is an
// IRichBolt or IBolt of a jar that is submitted with the program (gearstorm.Options.Jar, or "submit -jar FILE"); it runs in the Java
// process of its worker. Its streams are declared here, its own declareOutputFields is not asked:
//
//	b.SetBolt("score", storm.JavaBolt("com.example.Score", "strict"), 2).FieldsGrouping("orders", "customer").Fields("customer", "score")
func JavaBolt(class string, args ...string) BoltSpec { return namedBolt{javaClass(class, args)} }

// JavaSpout is JavaBolt for a spout: an IRichSpout or ISpout.
func JavaSpout(class string, args ...string) SpoutSpec { return namedSpout{javaClass(class, args)} }

func javaClass(class string, args []string) named {
	n := named{class: class, args: args}
	if class == "" {
		n.problem = "a component in Java needs the name of its class"
	}
	return n
}
