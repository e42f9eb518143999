import LinkProtocols
import Packet
import Testing

/// The machines of IEEE 802.1AB-2016, 9.2: transmit timer, transmit and receive.
@Suite("LLDP's state machines")
struct LLDPMachineTests {
    @Test("TX_TIMER_INITIALIZE: a frame at once, then one each msgTxInterval, with a time to live of that times msgTxHold and one second")
    func interval() throws {
        var lab = LLDPLab()
        lab.pass(100)
        #expect(lab.times == [0, 30, 60, 90])
        #expect(try lab.told.timeToLive == 121 && lab.agent.counters.framesOut == 4)
        var other = LLDPLab { ($0.interval, $0.hold) = (5, 100) }
        other.pass(12)
        #expect(try other.times == [0, 5, 10] && other.told.timeToLive == 501)
        var longest = LLDPLab { ($0.interval, $0.hold) = (3_600, 100) }
        longest.pass(1)
        #expect(try longest.told.timeToLive == 65_535)
    }

    @Test("what is told of the system and the port is what a neighbour reads")
    func told() throws {
        var lab = LLDPLab()
        lab.pass(1)
        let pdu = try lab.told, local = LLDPFrames.local(9)
        #expect(pdu.source == local.source && pdu.portDescription == "eth9" && pdu.systemName == "host9" && pdu.systemDescription == "a switch")
        #expect(pdu.capabilities == local.capabilities && pdu.managementAddresses == local.managementAddresses)
        #expect(pdu.managementAddresses.map { "\($0.address)" } == ["192.0.2.9", "2001:db8::9"])
    }

    @Test("TX_FAST_START: a new neighbour gets txFastInit frames, msgFastTx apart")
    func fast() {
        var lab = LLDPLab()
        lab.pass(10)
        #expect(lab.hear(LLDPFrames.frame()) == .new)
        lab.pass(50)
        #expect(lab.times == [0, 10, 11, 12, 13, 43])
        // A second one amid the first one's frames starts no more of them.
        #expect(lab.hear(LLDPFrames.frame(chassis: 2)) == .new)
        lab.pass(1.5)
        #expect(lab.hear(LLDPFrames.frame(chassis: 3)) == .new)
        lab.pass(10)
        #expect(lab.times.dropFirst(6) == [60, 61, 61.5, 62.5])
    }

    @Test("TX_TICK: no more frames than credit, which a second adds one to")
    func credit() throws {
        var lab = LLDPLab()
        for number in 1...50 {
            var local = LLDPFrames.local(9)
            local.systemName = "host\(number)"
            lab.link.set(local, mac: LLDPFrames.mac(9), now: lab.now)
            lab.pass(0.1)
        }
        // Five at once, and then one each second.
        #expect(lab.times.count == 5 + 5 && lab.times.prefix(5).allSatisfy { $0 < 0.5 })
        #expect(zip(lab.times.dropFirst(5), lab.times.dropFirst(6)).allSatisfy { $1 - $0 > 0.999 })
        lab.pass(3)
        #expect(try lab.told.systemName == "host50")
    }

    @Test("SIGNAL_TX: a change is told at once, and the interval begins anew; the same again is no change")
    func change() throws {
        var lab = LLDPLab()
        lab.pass(10)
        var local = LLDPFrames.local(9)
        local.portDescription = "another"
        for _ in 0..<3 { lab.link.set(local, mac: LLDPFrames.mac(9), now: lab.now) }
        lab.pass(35)
        #expect(try lab.times == [0, 10, 40] && lab.told.portDescription == "another")
    }

    @Test("TX_SHUTDOWN_FRAME: an agent that stops withdraws what it told, and stays silent for reinitDelay")
    func shutdown() throws {
        var lab = LLDPLab()
        lab.pass(5)
        lab.link.set(LLDPSettings(), status: .receives, dcbx: DCBXSettings(), now: lab.now)
        lab.pass(0.5)
        #expect(try lab.told.timeToLive == 0 && lab.told.source == LLDPFrames.local(9).source && lab.told.tlvs.isEmpty)
        lab.link.set(LLDPSettings(), status: .both, dcbx: DCBXSettings(), now: lab.now)
        lab.pass(10)
        #expect(lab.times == [0, 5, 7])
        #expect(try lab.told.timeToLive == 121)
    }

    @Test("another identifier: what was told under the old one is withdrawn first")
    func renamed() throws {
        var lab = LLDPLab()
        lab.pass(5)
        lab.link.set(LLDPFrames.local(8), mac: LLDPFrames.mac(8), now: lab.now)
        lab.pass(3)
        let read = try lab.sent.map { try LLDPReadTests.read($0.frame) }
        #expect(lab.times == [0, 5, 7] && read.map(\.pdu.timeToLive) == [121, 0, 121])
        #expect(read.map(\.pdu.source) == [9, 9, 8].map { LLDPFrames.local($0).source } && read.map(\.sender) == [9, 9, 8].map(LLDPFrames.mac))
    }

    @Test("portEnabled: nothing is sent or heard while the link is down, and what was heard is forgotten")
    func link() {
        var lab = LLDPLab()
        lab.pass(1)
        lab.hear(LLDPFrames.frame())
        lab.link.set(isUp: false, now: lab.now)
        #expect(lab.agent.neighbours.isEmpty && lab.hear(LLDPFrames.frame()) == .disabled && lab.agent.counters.deleted == 1)
        lab.pass(100)
        #expect(lab.times == [0] && lab.link.nextDeadline == nil)
        lab.link.set(isUp: true, now: lab.now)
        lab.pass(1)
        #expect(lab.times == [0, 101])
    }

    @Test("adminStatus: what only receives does not send, and what only sends does not receive", arguments: LLDPAdminStatus.allCases)
    func status(_ status: LLDPAdminStatus) {
        var lab = LLDPLab(status: status)
        let verdict = lab.hear(LLDPFrames.frame())
        lab.pass(100)
        #expect(verdict == (status == .receives || status == .both ? .new : .disabled))
        #expect(lab.sent.isEmpty == (status == .receives || status == .disabled))
        #expect(lab.agent.neighbours.isEmpty == (verdict == .disabled))
    }

    @Test("DELETE_AGED_INFO: a neighbour is forgotten when its time is over, and what refreshes it moves that")
    func ageing() {
        var lab = LLDPLab()
        lab.hear(LLDPFrames.frame(ttl: 20))
        lab.pass(15)
        #expect(lab.hear(LLDPFrames.frame(ttl: 20)) == .refreshed)
        lab.pass(19.9)
        #expect(lab.agent.neighbours.count == 1 && lab.agent.counters.ageouts == 0)
        lab.pass(0.2)
        #expect(lab.agent.neighbours.isEmpty && lab.agent.counters.ageouts == 1 && lab.agent.counters.inserted == 1 && lab.agent.counters.deleted == 1)
    }

    @Test("DELETE_INFO: a time of 0 withdraws, whatever follows it; UPDATE_INFO: other contents replace what was told")
    func withdrawn() {
        var lab = LLDPLab()
        lab.hear(LLDPFrames.frame([LLDPFrames.tlv(5, LLDPFrames.text("a"))]))
        #expect(lab.hear(LLDPFrames.frame([LLDPFrames.tlv(5, LLDPFrames.text("b"))])) == .changed)
        #expect(lab.agent.neighbours.map(\.pdu.systemName) == ["b"])
        #expect(lab.hear(LLDPFrames.frame([LLDPFrames.tlv(1, [])], ttl: 0)) == .shutdown)
        #expect(lab.agent.neighbours.isEmpty && lab.agent.counters.ageouts == 0 && lab.agent.counters.deleted == 1)
        #expect(lab.hear(LLDPFrames.frame(ttl: 0)) == .shutdown && lab.agent.counters.deleted == 1)
    }

    @Test("tooManyNeighbors: those that are known stay, the others are counted, and the state ends with their time")
    func tooMany() {
        var lab = LLDPLab { $0.mostNeighbours = 2 }
        for number in 1...4 { lab.hear(LLDPFrames.frame(chassis: UInt8(number), ttl: number < 3 ? 600 : 50)) }
        #expect(lab.agent.neighbours.map(\.pdu.source.chassis.octets.last) == [1, 2] && lab.agent.hasTooManyNeighbours)
        #expect(lab.agent.counters.framesDiscarded == 2 && lab.agent.counters.inserted == 2)
        #expect(lab.hear(LLDPFrames.frame(chassis: 1, ttl: 600)) == .refreshed)
        lab.pass(49)
        #expect(lab.agent.hasTooManyNeighbours)
        lab.pass(2)
        #expect(!lab.agent.hasTooManyNeighbours && lab.agent.neighbours.count == 2)
    }

    @Test("a frame that comes back through a loop is no neighbour")
    func loop() {
        var lab = LLDPLab()
        lab.pass(1)
        #expect(lab.hear(lab.sent[0].frame) == .own && lab.agent.neighbours.isEmpty)
    }

    @Test("TLVs that do not fit into a frame are left out and counted")
    func tooLong() throws {
        var lab = LLDPLab()
        var local = LLDPFrames.local(9)
        local.systemDescription = String(repeating: "ü", count: 200)
        local.managementAddresses = (0..<60).map { ManagementAddress(.init(family: 200, octets: [UInt8](repeating: UInt8($0), count: 31))) }
        lab.link.set(local, mac: LLDPFrames.mac(9), now: lab.now)
        lab.pass(1)
        #expect(try lab.agent.counters.lengthErrors == 1 && lab.told.systemDescription == String(repeating: "ü", count: 127))
    }
}
