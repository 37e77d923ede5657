package it;

import org.apache.storm.drpc.DRPCInvocationsClient;
import org.apache.storm.generated.DRPCExceptionType;
import org.apache.storm.generated.DRPCExecutionException;
import org.apache.storm.generated.DRPCRequest;
import org.apache.storm.utils.Utils;

/**
 * Serves a function with the client that Storm's DRPCSpout and ReturnResults use: "fail" and "explain" fail in its two ways, all
 * else comes back in upper case. Arguments: port, function, how many requests to answer.
 */
public class Invocations {
    public static void main(String[] args) throws Exception {
        DRPCInvocationsClient client = new DRPCInvocationsClient(Utils.readStormConfig(), "127.0.0.1", Integer.parseInt(args[0]));
        for (int left = Integer.parseInt(args[2]); left > 0; ) {
            DRPCRequest r = client.fetchRequest(args[1]);
            if (r.get_request_id().isEmpty()) {
                Thread.sleep(10);
                continue;
            }
            left--;
            switch (r.get_func_args()) {
                case "fail":
                    client.failRequest(r.get_request_id());
                    break;
                case "explain":
                    DRPCExecutionException e = new DRPCExecutionException("no such user");
                    e.set_type(DRPCExceptionType.INTERNAL_ERROR);
                    client.failRequestV2(r.get_request_id(), e);
                    break;
                default:
                    client.result(r.get_request_id(), r.get_func_args().toUpperCase());
            }
        }
        client.close();
    }
}
