import Bridge
import DataPlane
import Packet
import TestSupport
import Testing

/// The bridge remembers results for pairs of addresses. They must not outlive the state from which they were found.
@Suite("Forwarding between remembered addresses") struct ForwardingTests {
    private let protocols = ProtocolTable.builtIn()

    private func trial() -> AdmissionTrial { AdmissionTrial(isPhysical: false, maxFrame: 1_514, fitsAll: 1_514, protocols: protocols, ports: 3) }

    private func frame(_ source: UInt8, _ destination: UInt8) -> [UInt8] { MixedTraffic.udp(from: source, to: destination, port: 80, size: 60) }

    /// The outputs of a frame when it comes for the first time and when it comes again.
    private func output(_ trial: AdmissionTrial, _ source: UInt8, _ destination: UInt8, from port: Int) -> Set<UInt16> {
        Set((0..<3).flatMap { _ in trial.forward([frame(source, destination)], from: port).map(\.output) })
    }

    private func mac(_ number: UInt8) -> UInt64 { 0x5254_0000_0000 | UInt64(number) }

    @Test("An address that moves, is forgotten or is configured elsewhere is so for the next frame")
    func changesShow() {
        defer { protocols.destroy() }
        let trial = trial()
        #expect(output(trial, 1, 2, from: 0) == [AdmissionTrial.everywhere])
        #expect(output(trial, 2, 1, from: 1) == [0])
        #expect(output(trial, 1, 2, from: 0) == [1])
        // Station 1 moves to port 2.
        #expect(output(trial, 1, 2, from: 2) == [1])
        #expect(output(trial, 2, 1, from: 1) == [2])
        trial.fdb.flush(port: 2)
        #expect(output(trial, 2, 1, from: 1) == [AdmissionTrial.everywhere])
        #expect(trial.fdb.addStatic(mac: mac(1), port: 0, guest: 7))
        #expect(output(trial, 2, 1, from: 1) == [0])
        #expect(output(trial, 1, 2, from: 0) == [1])
        trial.configure(owners: [mac(1): (2, 7)])
        #expect(trial.fdb.addStatic(mac: mac(1), port: 2, guest: 7))
        // The address is now spoofed on the port where it was right before, and right on the other one.
        #expect(output(trial, 1, 2, from: 0) == [])
        #expect(output(trial, 1, 2, from: 2) == [1])
        #expect(output(trial, 2, 1, from: 1) == [2])
        // The destination is behind the port that the frame comes from.
        #expect(output(trial, 1, 1, from: 2) == [])
    }

    @Test("Addresses whose frames take remembered paths are seen in every second")
    func seen() {
        defer { protocols.destroy() }
        let trial = trial()
        for second in 1...5 as ClosedRange<UInt32> {
            trial.seconds = second
            for _ in 0..<3 {
                _ = trial.forward([frame(1, 2)], from: 0)
                _ = trial.forward([frame(2, 1)], from: 1)
            }
            #expect(trial.fdb.lookup(mac: mac(1)).seen == second && trial.fdb.lookup(mac: mac(2)).seen == second)
        }
    }

    @Test("Another configuration shows in the next frame")
    func configuration() {
        defer { protocols.destroy() }
        let trial = trial()
        for guest in 1...3 as ClosedRange<UInt16> {
            trial.configure(defaultGuest: guest, of: 0)
            for _ in 0..<3 {
                let there = trial.forward([frame(1, 2)], from: 0), back = trial.forward([frame(2, 1)], from: 1)
                #expect(there.map(\.sourceGuest) == [guest] && back.map(\.destinationGuest) == [guest])
            }
        }
    }

    @Test("A configured address is learned from where it speaks while its own port is down, and refused anywhere else from the moment that is up")
    func migration() {
        defer { protocols.destroy() }
        let trial = trial()
        trial.configure(owners: [mac(1): (2, 7)])
        trial.connect(false, 2)
        // The guest still runs elsewhere; its frames come by port 0.
        #expect(output(trial, 2, 1, from: 1) == [AdmissionTrial.everywhere])
        #expect(output(trial, 1, 2, from: 0) == [1])
        #expect(output(trial, 2, 1, from: 1) == [0])
        // The guest is here now, but its address is not bound yet. As soon as it sends a frame, frames reach it, and they are attributed to this guest.
        trial.connect(true, 2)
        let announcement = trial.forward([frame(1, 2)], from: 2)
        #expect(announcement.map(\.sourceGuest) == [7] && announcement.map(\.output) == [1])
        #expect(trial.forward([frame(2, 1)], from: 1).map(\.destinationGuest) == [7])
        #expect(output(trial, 1, 2, from: 0) == [])
        #expect(trial.fdb.addStatic(mac: mac(1), port: 2, guest: 7))
        #expect(output(trial, 1, 2, from: 0) == [])
        // The guest leaves and sends from elsewhere before its static entry has been removed.
        trial.connect(false, 2)
        #expect(output(trial, 1, 2, from: 0) == [1])
        #expect(output(trial, 2, 1, from: 1) == [0])
        #expect(!trial.fdb.lookup(mac: mac(1)).isStatic)
    }

    @Test("A port that checks addresses takes its guests' whatever the database has, and never another's, though its port is down")
    func spoofCheck() {
        defer { protocols.destroy() }
        let trial = trial()
        trial.configure(owners: [mac(1): (0, 5), mac(2): (1, 6)])
        trial.configure(spoofCheck: true, of: 0)
        trial.connect(false, 1)
        // No address is bound, as in a new database or one that has no room.
        #expect(trial.forward([frame(1, 9)], from: 0).map(\.sourceGuest) == [5])
        #expect(trial.forward([frame(2, 9)], from: 0).isEmpty)
        #expect(trial.forward([frame(3, 9)], from: 0).isEmpty)
        #expect(trial.fdb.addStatic(mac: mac(1), port: 0, guest: 5))
        #expect(trial.forward([frame(1, 9)], from: 0).map(\.sourceGuest) == [5])
        #expect(trial.drops.reduce(0, +) == 2)
    }

    @Test("Frames that are refused are left out of a burst with remembered and new pairs, and the others keep their order")
    func refused() {
        defer { protocols.destroy() }
        let trial = trial()
        trial.configure(owners: [mac(9): (2, 7)])
        #expect(trial.fdb.addStatic(mac: mac(9), port: 2, guest: 7))
        for number in 1...8 as ClosedRange<UInt8> { _ = trial.forward([frame(number, 100)], from: 1) }
        for number in 1...4 as ClosedRange<UInt8> { for _ in 0..<2 { _ = trial.forward([frame(50, number)], from: 0) } }
        let burst = trial.forward([frame(50, 1), frame(9, 1), frame(50, 5), frame(50, 50), frame(50, 2), frame(9, 2), frame(50, 8)], from: 0)
        #expect(burst.map(\.destination) == [mac(1), mac(5), mac(2), mac(8)])
        #expect(burst.allSatisfy { $0.source == mac(50) && $0.output == 1 && $0.input == 0 })
        #expect(trial.drops.reduce(0, +) == 3)
    }
}
