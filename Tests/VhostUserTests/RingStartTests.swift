import Testing
import VhostUser

@Suite struct RingStart {
    @Test func aRingRunsOnceAllIsSaid() {
        var backend = Backend()
        backend.negotiate()
        backend.send(memory: [Region()])
        backend.configure(ring: 0)
        #expect(backend.started.isEmpty)
        backend.send(.setVringEnable, ring: 0, 1)
        #expect(backend.started.count == 1)
        let setup = backend.started.first
        #expect(setup?.size == 256 && setup?.position == .split(next: 0) && setup?.call != nil && setup?.kick != nil)
        #expect(setup?.descriptors.offset == 0 && setup?.driverArea.offset == 4096 && setup?.deviceArea.offset == 4616)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5]) func eachConditionIsNeeded(left out: Int) {
        var backend = Backend()
        if out != 0 { backend.send(.setFeatures, VirtioFeatures([.version1, .protocolFeatures]).rawValue) }
        if out != 1 { backend.send(memory: [Region()]) }
        if out != 2 { backend.send(.setVringSize, ring: 1, 128) }
        if out != 3 { backend.send(.setVringAddress, ringAddresses(1, size: 128, at: 0x7000_0000_0000)) }
        if out != 4 { backend.send(.setVringKick, 0x101) }
        if out != 5 { backend.send(.setVringEnable, ring: 1, 1) }
        #expect(backend.started.isEmpty && backend.hangUp == nil)
        switch out {
        case 0: backend.send(.setFeatures, VirtioFeatures([.version1, .protocolFeatures]).rawValue)
        case 1: backend.send(memory: [Region()])
        case 2: backend.send(.setVringSize, ring: 1, 128)
        case 3: backend.send(.setVringAddress, ringAddresses(1, size: 128, at: 0x7000_0000_0000))
        case 4: backend.send(.setVringKick, 0x101)
        default: backend.send(.setVringEnable, ring: 1, 1)
        }
        #expect(backend.started.count == 1 && backend.started.first?.kick == nil && backend.started.first?.call == nil)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test func withoutProtocolFeaturesTheKickStartsIt() {
        var backend = Backend()
        backend.send(.setFeatures, VirtioFeatures.version1.rawValue)
        backend.send(memory: [Region()])
        backend.configure(ring: 0)
        // Configured, started by the kick descriptor, started again with the call descriptor.
        #expect(backend.running.count == 1 && backend.started.count == 2)
    }

    @Test func withTheStatusItWaitsForTheDriver() {
        var backend = Backend()
        backend.negotiate([.version1, .protocolFeatures], .standard)
        backend.send(memory: [Region()])
        backend.configure(ring: 0)
        backend.send(.setVringEnable, ring: 0, 1)
        backend.send(.setStatus, 0b1011)
        #expect(backend.started.isEmpty)
        backend.send(.setStatus, 0b1111)
        #expect(backend.running.count == 1)
        backend.send(.getStatus)
        #expect(backend.answer == 0b1111)
        backend.send(.setStatus, 0)
        #expect(backend.running.isEmpty && backend.stopped == [0])
        backend.send(.setStatus, 0b1111)
        #expect(backend.running.count == 1)
    }

    @Test func aPackedRingHasItsOwnLayout() {
        var backend = Backend()
        backend.negotiate([.version1, .protocolFeatures, .ringPacked])
        backend.send(memory: [Region()])
        // 300 is no power of two, which only split rings need. 0x8000 is what virtio_user tells: place 0 with its wrap counter set.
        backend.configure(ring: 0, size: 300, packed: true, base: 0x8000)
        backend.send(.setVringEnable, ring: 0, 1)
        let setup = backend.started.first
        #expect(setup?.position == .packed(next: 0, wrap: true, used: 0, usedWrap: true) && setup?.isPacked == true)
        #expect(setup?.driverArea.offset == 4800 && setup?.deviceArea.offset == 4804)
        backend.positions[0] = .packed(next: 7, wrap: false, used: 7, usedWrap: false)
        backend.send(.getVringBase, ring: 0, 0)
        #expect(backend.replies.last?.suffix(4) == [7, 0, 7, 0])
        backend.positions[0] = nil
        backend.send(.setVringBase, ring: 0, 0x8005_0007)
        backend.send(.setVringKick, 0x100)
        #expect(backend.started.last?.position == .packed(next: 7, wrap: false, used: 5, usedWrap: true))
    }

    @Test func aRingGoesOnWhereItWas() {
        var backend = Backend()
        backend.negotiate()
        backend.send(memory: [Region()])
        backend.configure(ring: 2, base: 11)
        backend.send(.setVringEnable, ring: 2, 1)
        backend.positions[2] = .split(next: 4711)
        backend.send(.setVringCall, 2, [backend.eventfd()])
        #expect(backend.started.last?.position == .split(next: 4711))
        backend.send(.setVringEnable, ring: 2, 0)
        backend.send(.getVringBase, ring: 2, 0)
        #expect(backend.replies.last?[12...] == [2, 0, 0, 0, 0x67, 0x12, 0, 0])
        backend.send(.setVringEnable, ring: 2, 1)
        // GET_VRING_BASE took its kick descriptor.
        #expect(backend.running.isEmpty)
        backend.send(.setVringKick, 2, [backend.eventfd()])
        #expect(backend.running.count == 1)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test func theSizeOfARunningRingStays() {
        var backend = Backend()
        backend.negotiate()
        backend.send(memory: [Region()])
        backend.configure(ring: 0)
        backend.send(.setVringEnable, ring: 0, 1)
        backend.send(.setVringSize, ring: 0, 512, needReply: true)
        #expect(backend.answer == 1 && backend.running[0]?.size == 256 && backend.hangUp == nil)
        backend.send(.setVringSize, ring: 0, 512)
        #expect(backend.hangUp == "SET_VRING_NUM came while ring 0 was running")
        backend.end()
        #expect(backend.violations == [])
    }

    /// Where the parts of a ring of `size` descriptors are, and what is wrong with that.
    struct Misplaced: Sendable {
        var size: UInt32 = 256
        var descriptors: UInt64 = 0x7000_0000_0000
        var available: UInt64 = 0x7000_0000_2000
        var used: UInt64 = 0x7000_0000_3000
        var fault: String
    }

    @Test(arguments: [
        Misplaced(descriptors: 0x7000_000f_f010, fault: "its descriptor table (4096 bytes at 0x7000000ff010) lies in no memory region"),
        Misplaced(available: 0x7000_000f_fdfc, fault: "its available ring (518 bytes at 0x7000000ffdfc) lies in no memory region"),
        Misplaced(used: 0x7000_000f_f7fc, fault: "its used ring (2054 bytes at 0x7000000ff7fc) lies in no memory region"),
        Misplaced(used: .max - 3, fault: "its used ring (2054 bytes at 0xfffffffffffffffc) lies in no memory region"),
        Misplaced(descriptors: 0, fault: "its descriptor table (4096 bytes at 0x0) lies in no memory region"),
        Misplaced(descriptors: 0x7000_0000_0008, fault: "its descriptor table at 0x700000000008 is not aligned to 16 bytes"),
        Misplaced(available: 0x7000_0000_2001, fault: "its available ring at 0x700000002001 is not aligned to 2 bytes"),
        Misplaced(used: 0x7000_0000_3002, fault: "its used ring at 0x700000003002 is not aligned to 4 bytes"),
        Misplaced(size: 100, fault: "100 descriptors are no power of two"),
    ])
    func aMisplacedRingDoesNotRun(ring: Misplaced) {
        var backend = Backend()
        backend.negotiate()
        backend.send(memory: [Region()])
        backend.send(.setVringSize, ring: 0, ring.size)
        backend.send(.setVringAddress, bytes(0 as UInt64) + bytes(ring.descriptors) + bytes(ring.used) + bytes(ring.available) + bytes(0 as UInt64))
        backend.send(.setVringKick, 0x100)
        backend.send(.setVringEnable, ring: 0, 1, needReply: true)
        #expect(backend.answer == 1 && backend.started.isEmpty && backend.hangUp == nil)
        #expect(backend.notes == ["ring 0 cannot run: \(ring.fault)"])
        // The others run, and nothing is said twice.
        backend.configure(ring: 1)
        backend.send(.setVringEnable, ring: 1, 1)
        #expect(backend.running.count == 1 && backend.notes.count == 1)
        #expect(backend.violations == [])
    }
}
