import Configuration
import Testing

@Suite("Floors and the shares of traffic classes")
struct TrafficClassFloorTests {
    private static func problems(_ ets: String, rate: String = "1gbit", _ guests: String = "") throws -> [String] {
        try Model(yaml: """
            bridges: [{name: br0}]
            ports:
              - {name: host, type: tap, bridge: br0, interface: tap0}
              - {name: uplink, type: physical, bridge: br0, device: eth1, rate: \(rate), dcb: {ets: {\(ets)}}}
            guests:
              - {name: vm1, port: host, outbound: {floor: 800mbit}, protocols: {iscsi: {outbound: {floor: 300mbit}}}}
            \(guests)
            """).problems.map(\.description)
    }

    @Test("floors of a traffic class that exceed its percentage are refused, with the arithmetic")
    func refusal() throws {
        let shares = "tc-tsa: [ets, ets], tc-bw: [80, 20], prio-tc: [0, 0, 0, 0, 1, 0, 0, 0]"
        #expect(try Self.problems(shares) == [
            "ports[1].dcb.ets.tc-bw: the floors in traffic class 1 of uplink, vm1/iscsi (300mbit), are 300mbit, 100mbit more than its tc-bw of 20 percent of"
                + " the rate 1gbit, which is 200mbit: lower them, raise its tc-bw, or write exceeding-floors: on, with which they take from other classes"
        ])
        #expect(try Self.problems(shares, rate: "1500mbit") == [])
        #expect(try Self.problems(shares + ", exceeding-floors: true") == [])
        // A strict class has no percentage; and what the priorities are decides.
        #expect(try Self.problems("tc-tsa: [ets, strict], tc-bw: [100, 0], prio-tc: [0, 0, 0, 0, 1, 0, 0, 0]") == [])
        #expect(try Self.problems("tc-tsa: [ets, ets], tc-bw: [80, 20]") == [])
    }

    @Test("a port that schedules or pauses by priority has a leaf for each guest and protocol, and its edits go the general way")
    func leaves() throws {
        for (keys, expected) in [("", ["rest", "host"]), ("dcb: {pfc: {}}", ["rest", "host"])] {
            let model = try Model.checked(yaml: """
                bridges: [{name: br0}]
                ports:
                  - {name: host, type: tap, bridge: br0, interface: tap0}
                  - {name: uplink, type: physical, bridge: br0, device: eth1, rate: 1gbit\(keys.isEmpty ? "" : ", " + keys)}
                """)
            var ids = ClassIDs()
            let tree = trees(of: model, ids: &ids).first { $0.name == "uplink" }
            let paths = tree?.classes.map(\.path) ?? []
            let protocols = keys.isEmpty ? [] : (model.protocolTable.map(\.name).sorted() + ["default"]).map { "host/\($0)" }
            #expect(paths == expected + protocols, "\(paths)")
            // Leaves that nobody wrote take nothing from the queue of the guest's other frames.
            #expect(tree?.classes.first { $0.isLeaf && $0.protocolName == nil }?.settings.delayBytes == 5_872_025)
            #expect(tree?.classes.first { $0.isRest }?.settings.floorIsRemainder == true)
        }
    }
}
