import Bridge
import DataPlane
import Packet
import Testing

/// Which ports receive which frames when ports have rules of their own. Each frame is sent twice, because its path may be remembered the second time.
@Suite("Ports with rules of their own") struct PortRulesTests {
    private let protocols = ProtocolTable.builtIn()

    private func trial(_ ports: Int = 4) -> AdmissionTrial { AdmissionTrial(isPhysical: false, maxFrame: 1_514, fitsAll: 1_514, protocols: protocols, ports: ports) }

    private func mac(_ number: UInt8) -> UInt64 { 0x5254_0000_0000 | UInt64(number) }

    private func frame(_ source: UInt8, _ destination: UInt8) -> [UInt8] { MixedTraffic.udp(from: source, to: destination, port: 80, size: 60) }
    private func frame(_ source: UInt8, to group: [UInt8]) -> [UInt8] { group + frame(source, 0)[6...] }
    private static let everybody: [UInt8] = [255, 255, 255, 255, 255, 255], group: [UInt8] = [1, 0, 0x5e, 1, 2, 3], bridges: [UInt8] = [1, 0x80, 0xc2, 0, 0, 0]

    /// Has the bridge learn stations 1, 2, 3, .. behind ports 0, 1, 2, ..
    private func introduce(_ trial: AdmissionTrial, _ ports: Int = 4) {
        for port in 0..<ports { _ = trial.forward([frame(UInt8(port + 1), 99)], from: port) }
    }

    private func expect(
        _ trial: AdmissionTrial, _ frame: [UInt8], from port: Int, to expected: [Int], _ what: Comment = "", sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for _ in 0..<3 { #expect(trial.receivers(frame, from: port) == expected, what, sourceLocation: sourceLocation) }
    }

    @Test("Isolated ports reach all others, and each other never, flooded or not, known before or not")
    func isolated() {
        defer { protocols.destroy() }
        let trial = trial()
        introduce(trial)
        expect(trial, frame(1, 2), from: 0, to: [1])
        for port in [0, 1] { trial.configure(flags: .isolated, of: port) }
        expect(trial, frame(1, 2), from: 0, to: [])
        #expect(trial.drops(.isolated, from: 0) == 3)
        expect(trial, frame(1, 3), from: 0, to: [2])
        expect(trial, frame(3, 1), from: 2, to: [0])
        for destination in [frame(1, 99), frame(1, to: Self.everybody), frame(1, to: Self.group)] { expect(trial, destination, from: 0, to: [2, 3]) }
        expect(trial, frame(3, to: Self.everybody), from: 2, to: [0, 1, 3])
        for port in [0, 1] { trial.configure(flags: .none, of: port) }
        expect(trial, frame(1, 2), from: 0, to: [1])
    }

    @Test("A hairpin port gets its own frames back where they are for it, for all, or for nobody known")
    func hairpin() {
        defer { protocols.destroy() }
        let trial = trial()
        introduce(trial)
        _ = trial.forward([frame(11, 99)], from: 0)
        expect(trial, frame(1, 11), from: 0, to: [])
        trial.configure(flags: .hairpin, of: 0)
        expect(trial, frame(1, 11), from: 0, to: [0])
        expect(trial, frame(1, 2), from: 0, to: [1])
        expect(trial, frame(1, 99), from: 0, to: [0, 1, 2, 3])
        expect(trial, frame(1, to: Self.everybody), from: 0, to: [0, 1, 2, 3])
        trial.configure(flags: .hairpin | .isolated, of: 0)
        expect(trial, frame(1, 11), from: 0, to: [])
    }

    @Test("A port gets no copies of what it is not to be flooded with, and what is for it all the same")
    func flooding() {
        defer { protocols.destroy() }
        let trial = trial(5)
        introduce(trial, 5)
        trial.configure(flags: .noUnknown, of: 1)
        trial.configure(flags: .noMulticast, of: 2)
        trial.configure(flags: .noBroadcast, of: 3)
        expect(trial, frame(1, 99), from: 0, to: [2, 3, 4])
        expect(trial, frame(1, to: Self.group), from: 0, to: [1, 3, 4])
        expect(trial, frame(1, to: Self.everybody), from: 0, to: [1, 2, 4])
        for port in 1...4 { expect(trial, frame(1, UInt8(port + 1)), from: 0, to: [port]) }
    }

    @Test("Behind a port that does not learn nobody is known, but for configured addresses, which stay their guests'")
    func noLearning() {
        defer { protocols.destroy() }
        let trial = trial()
        introduce(trial)
        trial.configure(owners: [mac(20): (0, 7)])
        #expect(trial.fdb.addStatic(mac: mac(20), port: 0, guest: 7))
        trial.configure(flags: .noLearning, of: 0)
        expect(trial, frame(9, 2), from: 0, to: [1])
        #expect(trial.fdb.lookup(mac: mac(9)).isNone)
        expect(trial, frame(2, 9), from: 1, to: [0, 2, 3])
        // An address that is known behind another port does not move.
        expect(trial, frame(3, 2), from: 0, to: [1])
        #expect(trial.fdb.lookup(mac: mac(3)).port == 2)
        #expect((0..<3).allSatisfy { _ in trial.forward([frame(20, 2)], from: 0).map(\.sourceGuest) == [7] })
    }

    @Test("From a locked port come its configured addresses alone")
    func locked() {
        defer { protocols.destroy() }
        let trial = trial()
        introduce(trial)
        trial.configure(owners: [mac(20): (0, 7), mac(21): (1, 8)])
        trial.configure(flags: .locked, of: 0)
        // The result is the same whether or not the address is bound yet.
        expect(trial, frame(20, 2), from: 0, to: [1])
        #expect(trial.fdb.addStatic(mac: mac(20), port: 0, guest: 7))
        expect(trial, frame(20, 2), from: 0, to: [1])
        expect(trial, frame(20, to: Self.everybody), from: 0, to: [1, 2, 3])
        for stranger in [1, 9, 21] as [UInt8] { expect(trial, frame(stranger, 2), from: 0, to: []) }
        #expect(trial.drops(.portLocked, from: 0) == 9)
        #expect(trial.fdb.lookup(mac: mac(9)).isNone)
    }

    @Test("No more addresses are learned behind a port than it may have; who is known there goes on, and others speak unlearned")
    func addressLimit() {
        defer { protocols.destroy() }
        let trial = trial()
        introduce(trial)
        var limits = PortLimits()
        limits.addresses = 3
        trial.configure(flags: .addressLimit, limits: limits, of: 0)
        for source in [10, 11, 12, 13] as [UInt8] { expect(trial, frame(source, 2), from: 0, to: [1]) }
        #expect(trial.fdb.learnedCount(behind: 0) == 3)
        #expect(trial.unlearned(0) == 6)
        #expect(trial.fdb.lookup(mac: mac(11)).port == 0 && trial.fdb.lookup(mac: mac(12)).isNone)
        // An address that is known behind another port does not move to this one.
        expect(trial, frame(3, 2), from: 0, to: [1])
        #expect(trial.fdb.lookup(mac: mac(3)).port == 2)
        trial.fdb.remove(mac: mac(10))
        expect(trial, frame(12, 2), from: 0, to: [1])
        #expect(trial.fdb.lookup(mac: mac(12)).port == 0)
        // Configured addresses do not count towards the limit.
        trial.configure(owners: [mac(30): (0, 7)])
        #expect((0..<3).allSatisfy { _ in trial.forward([frame(30, 2)], from: 0).map(\.sourceGuest) == [7] })
    }

    @Test("Storm control lets in what its rate gives, kind by kind, and known addresses do not count")
    func stormControl() {
        defer { protocols.destroy() }
        let trial = trial()
        introduce(trial)
        var limits = PortLimits()
        limits.broadcast = StormLimit(rate: 1_000)
        limits.unknown = StormLimit(rate: 480_000, countsBits: true)
        trial.configure(flags: .stormControl, limits: limits, of: 0)
        /// The number of frames that pass in this many seconds, if one is sent every 0.1 ms.
        func passed(_ frame: [UInt8], seconds: UInt64 = 2) -> Int {
            var count = 0
            for _ in 0..<(10_000 * seconds) {
                trial.now += 100_000
                count += trial.forward([frame], from: 0).count
            }
            return count
        }
        trial.now = 1_000_000_000
        // What the rate gives in a tenth of a second may come at once.
        #expect(passed(frame(1, to: Self.everybody)) == 2_000 + 100)
        #expect(trial.drops(.stormBroadcast, from: 0) == 20_000 - 2_100)
        #expect(passed(frame(1, 99)) == 2_000 + 100)
        #expect(trial.drops(.stormUnknown, from: 0) == 20_000 - 2_100)
        #expect(passed(frame(1, to: Self.group), seconds: 1) == 10_000)
        #expect(passed(frame(1, 2), seconds: 1) == 10_000)
        // The limit does not apply to what comes in by other ports.
        #expect((0..<1_000).allSatisfy { _ in trial.forward([frame(2, to: Self.everybody)], from: 1).count == 1 })
    }

    @Test("A run of frames passes storm control as a whole, and later ones wait for what it was too much")
    func stormControlOfRuns() {
        defer { protocols.destroy() }
        let trial = trial()
        var limits = PortLimits()
        limits.multicast = StormLimit(rate: 100)
        trial.configure(flags: .stormControl, limits: limits, of: 0)
        trial.now = 1_000_000_000
        let burst = [[UInt8]](repeating: frame(1, to: Self.group), count: 32)
        #expect(trial.forward(burst, from: 0).count == 1)
        #expect(trial.forward(burst, from: 0).isEmpty)
        trial.now += 219_000_000
        #expect(trial.forward(burst, from: 0).isEmpty)
        trial.now += 2_000_000
        #expect(trial.forward(burst, from: 0).count == 1)
        #expect(trial.drops(.stormMulticast, from: 0) == 64)
    }

    @Test("Spanning tree's frames are dropped, carried between ports that both say so, or shut their port")
    func bpdus() {
        defer { protocols.destroy() }
        let trial = trial()
        introduce(trial)
        let bpdu = frame(1, to: Self.bridges)
        expect(trial, bpdu, from: 0, to: [])
        #expect(trial.drops(.reservedAddress, from: 0) == 3)
        for port in [0, 2] { trial.configure(flags: .forwardsBPDUs, of: port) }
        expect(trial, bpdu, from: 0, to: [2])
        expect(trial, bpdu, from: 1, to: [])
        // Other reserved addresses are never forwarded.
        expect(trial, frame(1, to: Array(Self.bridges[..<5]) + [2]), from: 0, to: [])
        expect(trial, frame(1, to: Self.everybody), from: 0, to: [1, 2, 3])
        trial.configure(flags: .guardsBPDUs, of: 3)
        #expect(!trial.hadBPDU(3))
        expect(trial, frame(4, to: Self.bridges), from: 3, to: [])
        #expect(trial.hadBPDU(3) && trial.drops(.bpduGuard, from: 3) == 3)
        expect(trial, frame(4, 1), from: 3, to: [0])
        expect(trial, frame(1, 4), from: 0, to: [3])
        trial.configure(flags: .shut, of: 3)
        // What was known behind the port is then forgotten, as for a port that is down, and nothing is learned there any more.
        trial.fdb.flush(port: 3, statics: true)
        expect(trial, frame(1, 4), from: 0, to: [1, 2])
        expect(trial, frame(4, 1), from: 3, to: [])
        expect(trial, frame(1, 4), from: 0, to: [1, 2])
        expect(trial, frame(1, to: Self.everybody), from: 0, to: [1, 2])
        #expect(trial.drops(.bpduGuard, from: 3) == 6)
    }

    // Port 0 is the uplink; ports 1 and 2 are of the kind under test; port 3 is a plain port.
    private func detour(_ kind: PortFlags) -> AdmissionTrial {
        let trial = trial()
        trial.configure(flags: .wire, of: 0)
        for port in [1, 2] { trial.configure(flags: kind, of: port) }
        trial.configure(flags: .bridged, of: 3)
        trial.configure(uplink: 0)
        introduce(trial)
        return trial
    }

    @Test("What a VEPA port sends goes by the uplink, and comes to whom it is for when it is sent back: never to its own sender, who stays where it is")
    func vepa() {
        defer { protocols.destroy() }
        let trial = detour(.vepa)
        for destination in [frame(2, 1), frame(2, 3), frame(2, 4), frame(2, 99), frame(2, to: Self.everybody), frame(2, to: Self.group)] {
            expect(trial, destination, from: 1, to: [0])
        }
        // These frames were sent back by the switch beyond the uplink.
        expect(trial, frame(2, 3), from: 0, to: [2])
        expect(trial, frame(2, 4), from: 0, to: [3])
        expect(trial, frame(2, 2), from: 0, to: [])
        expect(trial, frame(2, to: Self.everybody), from: 0, to: [2, 3])
        expect(trial, frame(2, 99), from: 0, to: [2, 3])
        #expect(trial.fdb.lookup(mac: mac(2)).port == 1)
        // These frames come from stations beyond the uplink.
        expect(trial, frame(50, 2), from: 0, to: [1])
        expect(trial, frame(50, to: Self.everybody), from: 0, to: [1, 2, 3])
        // Plain ports reach VEPA ports by way of the uplink, and a frame that comes back is not delivered to ports that received it directly.
        expect(trial, frame(4, 2), from: 3, to: [0])
        expect(trial, frame(4, to: Self.everybody), from: 3, to: [0])
        expect(trial, frame(4, to: Self.everybody), from: 0, to: [1, 2])
        expect(trial, frame(4, 2), from: 0, to: [1])
        #expect(trial.drops(.reflected, from: 0) == 3)
        #expect(trial.drops(.spoofedSource, from: 0) == 0)
    }

    @Test("Configured addresses of VEPA ports come back, too")
    func configuredVEPA() {
        defer { protocols.destroy() }
        let trial = detour(.vepa)
        trial.configure(owners: [mac(2): (1, 5)])
        expect(trial, frame(2, to: Self.everybody), from: 0, to: [2, 3])
        expect(trial, frame(2, 3), from: 0, to: [2])
        #expect(trial.fdb.addStatic(mac: mac(2), port: 1, guest: 5))
        expect(trial, frame(2, to: Self.everybody), from: 0, to: [2, 3])
        // While its port is down, the guest may be beyond the uplink.
        trial.connect(false, 1)
        trial.fdb.removeStatic(mac: mac(2))
        expect(trial, frame(2, to: Self.everybody), from: 0, to: [1, 2, 3])
        #expect(trial.fdb.lookup(mac: mac(2)).port == 0)
    }

    @Test("What private ports send goes by the uplink, and to no guest when it is sent back")
    func secluded() {
        defer { protocols.destroy() }
        let trial = detour(.secluded)
        expect(trial, frame(2, 3), from: 1, to: [0])
        expect(trial, frame(2, to: Self.everybody), from: 1, to: [0])
        for frame in [frame(2, 3), frame(2, 4), frame(2, to: Self.everybody), frame(4, 2), frame(4, to: Self.everybody)] { expect(trial, frame, from: 0, to: []) }
        expect(trial, frame(50, 2), from: 0, to: [1])
        expect(trial, frame(50, to: Self.everybody), from: 0, to: [1, 2, 3])
        expect(trial, frame(4, 2), from: 3, to: [0])
    }

    @Test("Between a passthru port and the uplink all goes the one way there is")
    func passthru() {
        defer { protocols.destroy() }
        let trial = trial(2)
        trial.configure(flags: .wire | .noLearning, of: 0)
        trial.configure(flags: .passthru | .noLearning, of: 1)
        trial.configure(uplink: 0, through: 1)
        for destination in [frame(2, 1), frame(2, 2), frame(2, to: Self.everybody)] {
            expect(trial, destination, from: 1, to: [0])
            expect(trial, destination, from: 0, to: [1])
        }
        #expect(trial.fdb.count == 0)
        // Spanning tree frames are treated as on any other bridge.
        expect(trial, frame(2, to: Self.bridges), from: 1, to: [])
    }
}
