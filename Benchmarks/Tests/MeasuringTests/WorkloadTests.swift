import Measuring
import Testing

@Suite struct WorkloadTests {
    @Test func countsAddressesUp() {
        #expect(Workload.mac(port: 0) == "52:54:01:00:00:00")
        #expect(Workload.mac(port: 1, 300) == "52:54:02:00:01:2c")
    }

    @Test func playsEveryPairAndClass() {
        var workload = Workload()
        workload.ports = 4
        workload.allClasses = true
        workload.macsPerPort = 500
        var scenario = ScenarioText(ports: (0..<4).map { GeneratorPort(device: "virtio_user:/tmp/\($0)") })
        #expect(scenario.bothWays(workload) { "\(1_200 / $0)pps" } == 12)
        let flows = scenario.text.split(separator: "\n").filter { $0.contains("from:") }
        #expect(flows.count == 12 && flows.allSatisfy { $0.contains("rate: 100pps") && $0.contains("to-macs: 500") })
        #expect(flows.count { $0.contains("port: 5003") } == 4)
        #expect(flows.count { $0.contains("from: p2") && $0.contains("at: p3") } == 3)
    }

    @Test func guestsShareTheirPortsAddresses() {
        var workload = Workload()
        workload.guestsPerPort = 2
        workload.macsPerPort = 4
        workload.link = 1e9
        let yaml = SluiceText.yaml(workload, sockets: ["/tmp/a", "/tmp/b"], cpus: [1])
        #expect(workload.classes == 12)
        #expect(yaml.contains("rate: 1000000000bit"))
        #expect(yaml.contains("{name: p1g1, port: p1, macs: [\"52:54:02:00:00:02\", \"52:54:02:00:00:03\"], inbound: {floor: 62500000bit, ceiling: 500000000bit}"))
    }

    @Test func addressesTakeTurnsInVLANs() {
        var workload = Workload()
        workload.guestsPerPort = 5
        workload.macsPerPort = 5
        workload.vlans = 2
        var scenario = ScenarioText(ports: (0..<2).map { GeneratorPort(device: "virtio_user:/tmp/\($0)") })
        _ = scenario.bothWays(workload) { _ in "max" }
        #expect(scenario.text.split(separator: "\n").count { $0.contains("macs: 5, to-macs: 5") && $0.contains("vlan: 10, vlans: 2") } == 2)
        let yaml = SluiceText.yaml(workload, sockets: ["/a", "/b"], cpus: [1])
        #expect(yaml.contains("socket: /b, mode: server, vlan: {trunk: [10-11]}}"))
        #expect(yaml.contains("{name: p1g4, port: p1, macs: [\"52:54:02:00:00:04\"], vlan: 10"))
        workload.filtersVLANs = false
        #expect(!SluiceText.yaml(workload, sockets: ["/a", "/b"], cpus: [1]).contains("vlan"))
    }

    @Test func filtersHaveTenRules() {
        var workload = Workload()
        workload.hasRules = true
        let yaml = SluiceText.yaml(workload, sockets: ["/a", "/b"], cpus: [1])
        #expect(yaml.split(separator: "{deny: ").count == 11 && yaml.contains("mode: server, filter: {outbound: f}}"))
    }

    /// If a frame is longer than a buffer of the usual size, buffers hold a whole frame, as in Open vSwitch.
    @Test func buffersHoldWholeFrames() {
        var workload = Workload()
        #expect(!SluiceText.yaml(workload, sockets: ["/a", "/b"], cpus: [1]).contains("buffer-size"))
        workload.mtu = 9_000
        #expect(SluiceText.yaml(workload, sockets: ["/a", "/b"], cpus: [1]).contains("buffers: 16384, buffer-size: 9kib}"))
    }
}
