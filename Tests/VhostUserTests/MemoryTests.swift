import Testing
import VhostUser

@Suite struct Memory {
    /// A backend with ring 0 running in its first region.
    private func running() -> Backend {
        var backend = Backend()
        backend.negotiate()
        backend.send(memory: [Region()])
        backend.configure(ring: 0)
        backend.send(.setVringEnable, ring: 0, 1)
        backend.forget()
        return backend
    }

    private let second = Region(guest: 1 << 32, user: 0x7100_0000_0000, facts: DescriptorFacts(kind: .file, size: 1 << 20, device: 1, inode: 2))

    @Test func theSameTableAgainChangesNothing() {
        var backend = running()
        backend.send(memory: [Region()], needReply: true)
        #expect(backend.answer == 0 && backend.stopped.isEmpty && backend.mapCount == 0)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test func whatIsInBothTablesStaysMapped() {
        var backend = running()
        backend.send(memory: [second, Region()])
        #expect(backend.stopped == [0] && backend.started.count == 1 && backend.mapCount == 1 && backend.mapped.count == 2)
        // Another file at the same place is another region.
        var other = Region()
        other.facts.inode = 3
        backend.forget()
        backend.send(memory: [second, other])
        #expect(backend.mapCount == 1 && backend.mapped.count == 2 && backend.running.count == 1)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test func aRingWaitsForItsRegion() {
        var backend = running()
        backend.send(.addMemoryRegion, region: second, needReply: true)
        #expect(backend.answer == 0 && backend.started.count == 1)
        backend.forget()
        backend.send(.removeMemoryRegion, region: Region(), needReply: true)
        #expect(backend.answer == 0 && backend.running.isEmpty && backend.mapped.count == 1 && backend.notes.count == 1)
        // Not told again by what has nothing to do with it.
        backend.send(.getFeatures)
        #expect(backend.notes.count == 1)
        var moved = Region()
        moved.guest = 1 << 40
        backend.send(.addMemoryRegion, region: moved, needReply: true)
        #expect(backend.answer == 0 && backend.running[0]?.descriptors.offset == 0)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test func eachQueuePairOfQEMUTellsTheSame() {
        var backend = running()
        backend.send(.addMemoryRegion, region: second)
        backend.forget()
        backend.send(.addMemoryRegion, region: second, needReply: true)
        backend.send(.addMemoryRegion, region: Region(), needReply: true)
        #expect(backend.replies.count == 2 && backend.answer == 0 && backend.stopped.isEmpty && backend.mapped.count == 2)
        for _ in 0..<2 {
            backend.send(.removeMemoryRegion, region: second, needReply: true)
            #expect(backend.answer == 0 && backend.mapped.count == 1 && backend.running.count == 1)
        }
        // Another file at the same place is no such region.
        var other = Region()
        other.facts.inode = 9
        backend.send(.addMemoryRegion, region: other, needReply: true)
        #expect(backend.answer == 1)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test(arguments: [
        Region(guest: .max - 4095, size: 1 << 20), Region(user: .max - 4095), Region(offset: .max - 4095), Region(offset: 1), Region(size: 0), Region(size: 1 << 21),
        Region(facts: DescriptorFacts(kind: .pipe)), Region(facts: DescriptorFacts(kind: .other, size: 1 << 30)), Region(guest: 4096, user: 0x7200_0000_0000),
        Region(guest: 1 << 40, user: 0x7000_0000_1000),
    ])
    func aWrongRegionIsRefused(region: Region) {
        var backend = running()
        backend.send(.addMemoryRegion, region: region, needReply: true)
        #expect(backend.answer == 1 && backend.running.count == 1 && backend.notes.count == 1)
        backend.send(memory: [Region(guest: 1 << 50, user: 1 << 20), region, Region(guest: 0, user: 0x7000_0000_0000)], needReply: true)
        #expect(backend.answer == 1 && backend.running.count == 1 && backend.mapped.count == 1)
        backend.send(memory: [region, Region()])
        #expect(backend.hangUp != nil)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test func thirtyTwoSlotsAndNoMore() {
        var backend = Backend()
        backend.negotiate()
        backend.send(.getMemorySlots)
        #expect(backend.answer == 32)
        for slot in 0..<33 as Range<UInt64> {
            backend.send(.addMemoryRegion, region: Region(guest: slot << 32, user: 0x7000_0000_0000 + slot << 32), needReply: true)
            #expect(backend.answer == (slot < 32 ? 0 : 1))
        }
        backend.send(memory: (0..<33 as Range<UInt64>).map { Region(guest: $0 << 32, user: $0 << 32) }, needReply: true)
        #expect(backend.answer == 1 && backend.mapped.count == 32)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test func aTableThatCannotBeMappedIsGone() {
        var backend = running()
        backend.mappingFails = true
        backend.send(memory: [Region(), second, Region(guest: 1 << 40, user: 1 << 40)], needReply: true)
        #expect(backend.answer == 1 && backend.mapped.isEmpty && backend.running.isEmpty && backend.notes == ["mmap: no memory"])
        backend.send(memory: [Region()], needReply: true)
        #expect(backend.answer == 0 && backend.running.count == 1)
        backend.mappingFails = true
        backend.send(.addMemoryRegion, region: second, needReply: true)
        #expect(backend.answer == 1 && backend.mapped.count == 1 && backend.running.count == 1)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test func theLogChangesWhileRingsStand() {
        var backend = running()
        let log = backend.descriptor(DescriptorFacts(kind: .file, size: 4096))
        backend.send(.setLogBase, bytes(4096 as UInt64) + bytes(0 as UInt64), [log])
        #expect(backend.answer == 0 && backend.stopped == [0] && backend.running[0]?.logAddress == nil)
        backend.send(.setFeatures, VirtioFeatures([.version1, .protocolFeatures, .logAll]).rawValue, needReply: true)
        backend.send(.setVringAddress, ringAddresses(0, size: 256, at: 0x7000_0000_0000, logFlag: true, log: 0x1000), needReply: true)
        #expect(backend.answer == 0 && backend.running[0]?.logAddress == 0x1000)
        // The log has a bit for each page of 128 MiB.
        backend.send(.setVringAddress, ringAddresses(0, size: 256, at: 0x7000_0000_0000, logFlag: true, log: 128 << 20), needReply: true)
        #expect(backend.answer == 1 && backend.running.isEmpty)
        let larger = backend.descriptor(DescriptorFacts(kind: .file, size: 16384))
        backend.send(.setLogBase, bytes(8192 as UInt64) + bytes(8192 as UInt64), [larger], needReply: true)
        #expect(backend.answer == 0 && backend.running[0]?.logAddress == 128 << 20 && backend.log?.size == 8192)
        let short = backend.descriptor(DescriptorFacts(kind: .file, size: 8192))
        backend.send(.setLogBase, bytes(8192 as UInt64) + bytes(4096 as UInt64), [short], needReply: true)
        #expect(backend.answer == 1 && backend.running.count == 1)
        backend.end()
        #expect(backend.violations == [])
    }
}
