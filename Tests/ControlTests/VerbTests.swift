import ControlAPI
import Foundation
import Testing

@Suite struct VerbTests {
    private func words(_ method: String, _ params: String) throws -> [String] {
        let line = #"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":\#(params)}"#
        return try #require(Verb(method)).words(try Request.parse(Data(line.utf8)).get())
    }

    @Test func paramsSayWhatWordsSay() throws {
        #expect(
            try words("port.add", #"{"name":"vm1","type":"vhost","bridge":"br0","queues":4,"cpus":[2,3],"spoof_check":true,"pace":{"average":"1gbit"}}"#)
                == ["vm1", "bridge", "br0", "cpus", "2,3", "pace", "average", "1gbit", "queues", "4", "spoof-check", "on", "type", "vhost"])
        #expect(
            try words("class.set", #"{"path":"vm1/iscsi","dir":"inbound","floor":"200mbit","ceiling":null,"floor-packets":"1kpps"}"#)
                == ["vm1/iscsi", "ceiling", "none", "dir", "inbound", "floor", "200mbit", "floor-packets", "1kpps"])
        #expect(try words("fdb.add", #"{"mac":"52:54:00:00:00:09","port":"vm1"}"#) == ["52:54:00:00:00:09", "port", "vm1"])
        #expect(try words("core.set", #"{"cpu":3,"polling":"adaptive"}"#) == ["3", "polling", "adaptive"])
        #expect(try words("guest.set", #"{"name":"vm1","macs":[]}"#) == ["vm1", "macs", "none"])
        #expect(
            try words("port.set", #"{"name":"up","dcb":{"pfc":{"willing":true,"prio-pfc":[3,4]},"ets":{"tc_bw":[60,40]}}}"#)
                == ["up", "dcb", "ets", "tc-bw", "60,40", "pfc", "prio-pfc", "3,4", "willing", "on"])
        #expect(try words("bridge.del", #"{"name":"br1"}"#) == ["br1"])
        #expect(
            try words("filter.add", #"{"name":"f","rules":[{"allow":"udp, or tcp"},{"deny":"ip"}],"default":"deny"}"#) == ["f", "default", "deny", "allow", "udp, or tcp", "deny", "ip"])
        #expect(try words("protocol.add", #"{"words":["backup","match","tcp 873","pcp","1"]}"#) == ["backup", "match", "tcp 873", "pcp", "1"])
    }

    @Test(arguments: [
        ("port.add", "{}", "port.add needs the parameter 'name'"), ("class.set", #"{"name":"vm1"}"#, "class.set needs the parameter 'path'"),
        ("port.add", "[]", "params of port.add must be an object"), ("guest.set", #"{"name":"a","inbound":{"floor":{"x":1}}}"#, "the parameter 'inbound.floor' of guest.set has the wrong type"),
        ("port.set", #"{"name":"a","mtu":1.5}"#, "the parameter 'mtu' of port.set has the wrong type"),
        ("port.set", #"{"name":"a","words":[]}"#, "'words' of port.set is a list of strings, and stands alone"),
    ])
    func paramsThatSayNothing(_ method: String, _ params: String, _ sentence: String) {
        #expect { try words(method, params) } throws: { ($0 as? RPCError)?.message == sentence && ($0 as? RPCError)?.code == -32_602 }
    }

    @Test func whatIsNoVerb() {
        for name in ["port", "port.show", "fdb.set", "core.add", "port.add.x", "", ".", "Port.add"] { #expect(Verb(name) == nil) }
        #expect(Set(Verb.all.map(\.name)).isSuperset(of: ["port.add", "class.del"]) && Set(Verb.all).count == Verb.all.count)
    }
}
