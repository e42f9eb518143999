import Foundation
import TestSupport
import Testing
import TrafficGenerator

@Suite("Rings of the generator's own") struct RingTests {
    /// A way in which a ring is laid out and its buffers come back.
    struct Kind: CustomTestStringConvertible, Sendable {
        var isPacked: Bool
        var isInOrder: Bool
        /// Whether one descriptor stands for several buffers.
        var isBatch = false
        var testDescription: String { (isPacked ? "packed" : "split") + (isInOrder ? ", in order" : "") + (isBatch ? ", in batches" : "") }

        static let all = [
            Self(isPacked: true, isInOrder: true), Self(isPacked: true, isInOrder: true, isBatch: true), Self(isPacked: true, isInOrder: false),
            Self(isPacked: false, isInOrder: true), Self(isPacked: false, isInOrder: false),
        ]
    }

    /// A guest's memory with one ring of 16 descriptors, and what reads its kicks.
    private final class Bench {
        let memory: RingMemory
        let ring: UnsafeMutablePointer<DriverRing>
        var device: RingDevice
        private var kick: [CInt] = [-1, -1]

        init(_ kind: Kind, toGuest: Bool) throws {
            memory = try RingMemory(ringSize: 16, longest: 100, directory: nil)
            try #require(pipe(&kick) == 0)
            _ = fcntl(kick[0], F_SETFL, O_NONBLOCK)
            ring = memory.ring(toGuest ? 0 : 1, isPacked: kind.isPacked, isInOrder: kind.isInOrder, kick: kick[1])
            device = RingDevice(ring)
            device.setWantsKicks(false)
        }

        deinit {
            ring.free()
            memory.close()
            kick.forEach { close($0) }
        }

        /// How often the device was told of buffers since this was last asked.
        var kicks: Int {
            var bytes = [UInt8](repeating: 0, count: 512)
            return max(0, read(kick[0], &bytes, bytes.count)) / 8
        }

        /// Sends frames with these labels, the length of each following from its label.
        func send(_ labels: Range<UInt64>) {
            for (step, label) in labels.enumerated() {
                let number = ring.pointee.number(ring.pointee.offered + step)
                ring.pointee.frame(number).storeBytes(of: label, as: UInt64.self)
                ring.setLength(number, RingTests.length(label))
            }
            ring.send(labels.count)
        }

        func giveBack(_ buffers: [RingDevice.Buffer], _ kind: Kind, _ random: inout Seeded) {
            device.giveBack(kind.isInOrder ? buffers : buffers.shuffled(using: &random), isBatch: kind.isBatch)
        }
    }

    private static func length(_ label: UInt64) -> Int { 60 + Int(label % 7) }

    @Test("send each frame once and whole, lap after lap", arguments: Kind.all)
    func sends(_ kind: Kind) throws {
        let bench = try Bench(kind, toGuest: false)
        var random = Seeded(17), sent: UInt64 = 0, seen: UInt64 = 0, waiting: [RingDevice.Buffer] = []
        for _ in 0..<10_000 where sent < 500 {
            let count = bench.ring.room(Int.random(in: 1...16, using: &random))
            bench.send(sent..<sent + UInt64(count))
            sent += UInt64(count)
            for buffer in bench.device.take(Int.random(in: 0...16, using: &random)) {
                #expect(buffer.label == seen)
                #expect(buffer.length == Self.length(seen) + DriverRing.headerLength)
                seen += 1
                waiting.append(buffer)
            }
            let returned = Int.random(in: 0...waiting.count, using: &random)
            bench.giveBack(Array(waiting.prefix(returned)), kind, &random)
            waiting.removeFirst(returned)
        }
        seen += UInt64(bench.device.take().count)
        #expect(seen == sent && sent >= 500)
        #expect(bench.ring.pointee.faults == 0)
    }

    @Test("send nothing more to a switch that takes nothing", arguments: Kind.all)
    func fills(_ kind: Kind) throws {
        let bench = try Bench(kind, toGuest: false)
        var random = Seeded(3)
        #expect(bench.ring.room(100) == 16)
        bench.send(0..<10)
        #expect(bench.ring.room(100) == 6)
        bench.send(10..<16)
        for _ in 0..<5 { #expect(bench.ring.room(100) == 0) }
        let buffers = bench.device.take()
        #expect(buffers.map(\.label) == Array(0..<16))
        // What was taken but not returned is no room either.
        #expect(bench.ring.room(1) == 0)
        bench.giveBack(buffers, kind, &random)
        #expect(bench.ring.room(100) == 16)
    }

    @Test("receive each frame once and whole, lap after lap", arguments: Kind.all.filter { !$0.isBatch })
    func receives(_ kind: Kind) throws {
        let bench = try Bench(kind, toGuest: true)
        bench.ring.offerEmpty(16)
        var random = Seeded(5), filled: UInt64 = 0, seen: UInt64 = 0, buffers: [RingDevice.Buffer] = []
        var words = [UInt64](repeating: 0, count: 16)
        for _ in 0..<10_000 where seen < 500 {
            buffers += bench.device.take()
            let count = Int.random(in: 0...buffers.count, using: &random)
            var part = Array(buffers.prefix(count))
            buffers.removeFirst(count)
            if !kind.isInOrder { part.shuffle(using: &random) }
            for buffer in part {
                #expect(buffer.length >= 112)
                buffer.label = filled
                bench.device.giveBack([buffer], bytes: Self.length(filled) + DriverRing.headerLength)
                filled += 1
            }
            // At times, frames wait until the switch has no buffer left.
            if !Bool.random(using: &random) { continue }
            let arrived = bench.ring.arrivals(&words, Int.random(in: 1...16, using: &random))
            for word in words.prefix(arrived) {
                #expect(bench.ring.pointee.frame(Int(word >> 32)).loadUnaligned(as: UInt64.self) == seen)
                #expect(Int(word & 0xffff_ffff) == Self.length(seen) + DriverRing.headerLength)
                seen += 1
            }
            bench.ring.finish(arrived)
        }
        #expect(seen >= 500)
        #expect(bench.ring.pointee.faults == 0)
    }

    @Test("find no frames where none came", arguments: Kind.all)
    func findsNothing(_ kind: Kind) throws {
        let bench = try Bench(kind, toGuest: true)
        var words = [UInt64](repeating: 0, count: 16)
        #expect(bench.ring.arrivals(&words, 16) == 0)
        bench.ring.offerEmpty(16)
        #expect(bench.ring.arrivals(&words, 16) == 0)
        #expect(bench.device.take().count == 16)
        #expect(bench.ring.arrivals(&words, 16) == 0)
    }

    @Test("do not follow a switch that returns what it was not given", arguments: Kind.all.filter { !$0.isPacked || $0.isInOrder })
    func claims(_ kind: Kind) throws {
        let bench = try Bench(kind, toGuest: false)
        bench.send(0..<4)
        bench.device.claim()
        #expect(bench.ring.room(16) <= 13)
        #expect(bench.ring.pointee.faults > 0)
        #expect(bench.ring.pointee.returned <= 1)
    }

    @Test("tell the switch of frames only if it asks for it", arguments: Kind.all)
    func kicks(_ kind: Kind) throws {
        let bench = try Bench(kind, toGuest: false)
        bench.send(0..<4)
        #expect(bench.kicks == 0)
        bench.device.setWantsKicks(true)
        bench.send(4..<8)
        #expect(bench.kicks == 1)
        bench.device.setWantsKicks(false)
        bench.send(8..<9)
        #expect(bench.kicks == 0)
    }
}
