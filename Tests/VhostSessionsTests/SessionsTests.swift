import CLinux
import Glibc
import Testing
import VhostSessions
import VhostUser

/// Real sockets; frontends of our own. One test at a time, as some count the descriptors of the whole process.
@Suite(.serialized) struct Sessions {
    private let folder = TestFolder()
    private let memory = TestFrontend.memory()

    private func path(_ name: String = "port") -> String { folder.path + "/" + name }

    @Test(arguments: [false, true]) func negotiation(packed: Bool) throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let recorder = Recorder(positions: [1: packed ? .packed(next: 9, wrap: false, used: 9, usedWrap: false) : .split(next: 9)])
        let port = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        let frontend = try #require(TestFrontend(connectingTo: path()))
        #expect(frontend.negotiate(memory: memory, packed: packed))
        let state = recorder.now
        #expect(state.running.count == 2 && state.regions.count == 1 && state.features?.contains(.ringPacked) == packed)
        let ring = try #require(state.running[1]), region = try #require(state.regions.first)
        #expect(ring.size == 256 && ring.isPacked == packed && ring.memory.count == 1 && ring.call != nil && ring.kick != nil)
        // The pointers lead to where the frontend said.
        #expect(ring.descriptors == region.hostPointer + 1 << 16 && ring.driverArea == ring.descriptors + 4096 && ring.deviceArea == ring.descriptors + 8192)
        var word: UInt32 = 0x1234_5678
        pwrite(memory, &word, 4, 1 << 16)
        #expect(ring.descriptors.load(as: UInt32.self) == 0x1234_5678)
        frontend.send(.getVringBase, bytes(1 as UInt32) + bytes(0 as UInt32))
        #expect(frontend.answer() == UInt64(packed ? 0x0009_0009 : 9) << 32 | 1)
        #expect(recorder.now.stops == [1] && recorder.now.running.count == 1)
        // Another region, and away with it.
        let other = TestFrontend.memory(size: 1 << 20)
        let description = bytes(0 as UInt64) + bytes(1 << 32 as UInt64) + bytes(1 << 19 as UInt64) + bytes(1 << 40 as UInt64) + bytes(1 << 19 as UInt64)
        #expect(frontend.ask(.addMemoryRegion, description, [other]) == 0)
        close(other)
        #expect(recorder.now.regions.count == 2 && recorder.now.running[0]?.memory.count == 2 && guestMappingCount() == 2)
        #expect(frontend.ask(.removeMemoryRegion, description) == 0)
        #expect(recorder.now.regions.count == 1 && guestMappingCount() == 1)
        sessions.remove(port)
        #expect(frontend.waitForEnd() && recorder.now.reasons == ["the port was closed"] && guestMappingCount() == 0)
        #expect(recorder.now.violations == [])
        close(memory)
    }

    @Test func nobodyIsServedAtAPortThatIsHeldForAFault() throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let recorder = Recorder(), other = Recorder()
        recorder.with { $0.hold = 3_600_000_000_000 }
        let port = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        _ = try sessions.add(PortOptions(path: path("other"), mode: .server), other)
        // A header with a version that does not exist.
        let faulty = try #require(TestFrontend(connectingTo: path()))
        faulty.send(raw: [1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0])
        #expect(recorder.wait { $0.faults == 1 })
        // One that has gone when the port is served again, with another fault that nobody reads, and one that waits.
        let gone = try #require(TestFrontend(connectingTo: path()))
        gone.send(raw: [1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0])
        gone.close()
        let waiting = try #require(TestFrontend(connectingTo: path()))
        let neighbour = try #require(TestFrontend(connectingTo: path("other")))
        #expect(neighbour.negotiate(memory: memory) && recorder.now.connections == 1)
        sessions.resume(port)
        #expect(waiting.negotiate(memory: memory))
        #expect(recorder.now.faults == 1 && recorder.now.connections == 2 && recorder.now.violations == [])
        close(memory)
    }

    @Test func halfAMessageHoldsUpNobody() throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let slow = Recorder(), other = Recorder(), idle = Recorder()
        _ = try sessions.add(PortOptions(path: path("slow"), mode: .server), slow)
        _ = try sessions.add(PortOptions(path: path("other"), mode: .server), other)
        _ = try sessions.add(PortOptions(path: path("idle"), mode: .server), idle)
        let silent = try #require(TestFrontend(connectingTo: path("slow")))
        let saysNothing = try #require(TestFrontend(connectingTo: path("idle")))
        silent.send(raw: [1, 0, 0, 0, 1, 0])
        #expect(slow.wait { $0.isConnected } && idle.wait { $0.isConnected })
        let frontend = try #require(TestFrontend(connectingTo: path("other")))
        #expect(frontend.negotiate(memory: memory) && slow.now.isConnected)
        #expect(silent.waitForEnd())
        #expect(slow.wait { $0.reasons == ["the frontend began a message and did not complete it within a second"] })
        // Whoever says nothing at all is not in the way of anybody.
        #expect(idle.now.isConnected && saysNothing.ask(.setOwner) == 0)
        close(memory)
    }

    @Test func aMessageMayComeInPieces() throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let recorder = Recorder()
        _ = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        let frontend = try #require(TestFrontend(connectingTo: path()))
        for byte in bytes(8 as UInt32) + bytes(9 as UInt32) + bytes(8 as UInt32) + bytes(0 as UInt32) + bytes(64 as UInt32) { frontend.send(raw: [byte]) }
        #expect(frontend.answer() == 0)
        // Several at once.
        let question = bytes(1 as UInt32) + bytes(1 as UInt32) + bytes(0 as UInt32)
        frontend.send(raw: (0..<100).flatMap { _ in question })
        for _ in 0..<100 { #expect(frontend.answer() == VirtioFeatures.standard.rawValue) }
        close(memory)
    }

    @Test func onlyOneFrontendIsServed() throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let recorder = Recorder()
        _ = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        let first = try #require(TestFrontend(connectingTo: path()))
        #expect(first.negotiate(memory: memory))
        let second = try #require(TestFrontend(connectingTo: path()))
        #expect(second.waitForEnd() && recorder.now.running.count == 2 && first.ask(.setOwner) == 0)
        first.close()
        let third = try #require(TestFrontend(connectingTo: path()))
        #expect(third.negotiate(memory: memory))
        #expect(recorder.now.connections == 2 && recorder.now.running.count == 2 && recorder.now.violations == [])
        close(memory)
    }

    @Test func aStormOfConnections() throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let recorder = Recorder(), other = Recorder()
        _ = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        _ = try sessions.add(PortOptions(path: path("other"), mode: .server), other)
        let before = descriptorCount()
        let first = try #require(TestFrontend(connectingTo: path()))
        #expect(first.negotiate(memory: memory))
        for round in 0..<20 {
            var crowd: [TestFrontend] = []
            for _ in 0..<100 { if let another = TestFrontend(connectingTo: path()) { crowd.append(another) } }
            for another in crowd { another.send(.getFeatures) }
            if round == 10 {
                let frontend = try #require(TestFrontend(connectingTo: path("other")))
                #expect(frontend.negotiate(memory: memory))
            }
            for another in crowd { #expect(another.waitForEnd()) }
        }
        #expect(first.ask(.setOwner) == 0 && recorder.now.running.count == 2 && recorder.now.connections == 1)
        // One line for each would have been 2000.
        #expect(recorder.now.lines.count <= 101)
        first.close()
        #expect(recorder.wait { !$0.isConnected } && other.wait { !$0.isConnected })
        #expect(descriptorsAreBack(to: before))
        close(memory)
    }

    @Test func floodsOfDescriptors() throws {
        let sessions = try VhostSessions()
        let before = descriptorCount()
        let recorder = Recorder()
        let port = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        let many = (0..<253).map { _ in eventfd(0, 0) }
        // A refused request, again and again, with an answer.
        do {
            let frontend = try #require(TestFrontend(connectingTo: path()))
            for _ in 0..<139 { #expect(frontend.ask(.setInflightDescriptor, Array(repeating: 0, count: 20), [memory]) == 1) }
            for _ in 0..<50 { #expect(frontend.ask(.setVringKick, bytes(0 as UInt64), Array(many.prefix(32))) == 1) }
            for _ in 0..<200 { #expect(frontend.ask(.setVringCall, bytes(0 as UInt64), Array(many.prefix(1))) == 0) }
            frontend.close()
        }
        // More than any request has; then a few with each byte of a header; then in the middle of a message.
        for attempt in 0..<3 {
            #expect(recorder.wait { !$0.isConnected })
            let frontend = try #require(TestFrontend(connectingTo: path()))
            switch attempt {
            case 0: frontend.send(.setMemoryTable, TestFrontend.table([]), many)
            case 1: for byte in bytes(5 as UInt32) + bytes(1 as UInt32) { frontend.send(raw: [byte], Array(many.prefix(20))) }
            default:
                frontend.send(raw: bytes(5 as UInt32) + bytes(1 as UInt32) + bytes(72 as UInt32) + [1], Array(many.prefix(30)))
                frontend.close()
            }
            #expect(recorder.wait { $0.reasons.count == attempt + 2 })
        }
        for descriptor in many { close(descriptor) }
        sessions.remove(port)
        #expect(descriptorsAreBack(to: before) && recorder.now.violations == [])
        sessions.end()
        close(memory)
    }

    @Test func nobodyWaitsForACallDescriptor() throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let recorder = Recorder()
        _ = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        let frontend = try #require(TestFrontend(connectingTo: path()))
        #expect(frontend.negotiate(memory: memory))
        // A full eventfd, a full pipe, and a pipe that nobody reads any more, all of which block as they come.
        let full = eventfd(0, 0)
        eventfd_write(full, .max - 1)
        var pipes: [Int32] = [0, 0]
        #expect(pipe(&pipes) == 0)
        for descriptor in [full, pipes[1]] {
            #expect(frontend.ask(.setVringCall, bytes(0 as UInt64), [descriptor]) == 0)
            let call = try #require(recorder.now.running[0]?.call)
            var one: UInt64 = 1
            var written = 0
            for _ in 0..<20_000 {
                written = write(call, &one, 8)
                if written < 0 { break }
            }
            #expect(written == -1 && errno == EAGAIN)
        }
        close(pipes[0])
        // What is none of these is no call descriptor.
        for descriptor in [memory, frontend.socket, open("/dev/null", O_WRONLY), epoll_create1(0)] {
            #expect(frontend.ask(.setVringCall, bytes(0 as UInt64), [descriptor]) == 1)
            if descriptor != memory && descriptor != frontend.socket { close(descriptor) }
        }
        close(pipes[1])
        close(full)
        close(memory)
    }

    @Test func memoryThatIsNotThere() throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let recorder = Recorder(), strict = Recorder()
        _ = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        var options = PortOptions(path: path("strict"), mode: .server)
        options.requiresSealedMemory = true
        let strictPort = try sessions.add(options, strict)
        let frontend = try #require(TestFrontend(connectingTo: path()))
        let size = UInt64(TestFrontend.memorySize)
        for region in [(0, size + 1, 1 << 40, 0), (0, size, 1 << 40, 1), (0, size, UInt64.max - 1, 0), (0, 0, 1 << 40, 0), (0, 1 << 62, 1 << 40, 0)] as [(UInt64, UInt64, UInt64, UInt64)] {
            #expect(frontend.ask(.setMemoryTable, TestFrontend.table([region]), [memory]) == 1)
        }
        let readOnly = open("/proc/self/fd/\(memory)", O_RDONLY)
        #expect(frontend.ask(.setMemoryTable, TestFrontend.table([(0, size, 1 << 40, 0)]), [readOnly]) == 1)
        close(readOnly)
        let log = TestFrontend.memory(size: 1)
        #expect(frontend.negotiate(memory: memory))
        #expect(frontend.ask(.setLogBase, bytes(4096 as UInt64) + bytes(0 as UInt64), [log]) == 1)
        ftruncate(log, 8192)
        #expect(frontend.ask(.setLogBase, bytes(4096 as UInt64) + bytes(4096 as UInt64), [log]) == 0)
        #expect(recorder.now.hasLog && recorder.now.running.count == 2)
        close(log)
        // Shortened afterwards: nothing here touches it.
        ftruncate(memory, 0)
        #expect(frontend.ask(.setVringEnable, bytes(0 as UInt32) + bytes(0 as UInt32)) == 0)
        #expect(frontend.ask(.setMemoryTable, TestFrontend.table([(0, 4096, 1 << 40, 0)]), [memory]) == 1)

        let sealed = TestFrontend.memory(sealed: true), open = TestFrontend.memory()
        let second = try #require(TestFrontend(connectingTo: path("strict")))
        #expect(second.ask(.setMemoryTable, TestFrontend.table([(0, size, 1 << 40, 0)]), [open]) == 1 && strict.now.regions.isEmpty)
        #expect(second.ask(.setMemoryTable, TestFrontend.table([(0, size, 1 << 40, 0)]), [sealed]) == 0 && strict.now.regions.count == 1)
        #expect(strict.now.lines.first?.contains("has a file that could become shorter") == true && strict.now.refusals == Array(strict.now.lines.prefix(1)))
        // The rule may come and go while somebody is connected. When it comes, everybody's memory is looked at.
        sessions.requireSealedMemory(strictPort, false)
        #expect(second.ask(.setMemoryTable, TestFrontend.table([(0, size, 1 << 40, 0)]), [open]) == 0 && strict.now.isConnected)
        sessions.requireSealedMemory(strictPort, true)
        #expect(second.waitForEnd())
        let third = try #require(TestFrontend(connectingTo: path("strict")))
        #expect(third.ask(.setMemoryTable, TestFrontend.table([(0, size, 1 << 40, 0)]), [open]) == 1)
        close(sealed)
        close(open)
        close(memory)
    }

    @Test func whoReadsNoRepliesIsClosed() throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let recorder = Recorder(), other = Recorder()
        _ = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        _ = try sessions.add(PortOptions(path: path("other"), mode: .server), other)
        let frontend = try #require(TestFrontend(connectingTo: path()))
        _ = fcntl(frontend.socket, F_SETFL, O_NONBLOCK)
        var sent = 0
        while recorder.now.reasons.isEmpty, sent < 10_000_000 {
            if frontend.send(.getFeatures) { sent += 1 } else if errno != EAGAIN { break }
            if sent == 1000 {
                let second = try #require(TestFrontend(connectingTo: path("other")))
                #expect(second.negotiate(memory: memory))
            }
        }
        #expect(recorder.wait { $0.reasons == ["the frontend did not read a reply within a second"] })
        close(memory)
    }

    @Test func wrongMessages() throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let recorder = Recorder()
        _ = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        let before = descriptorCount()
        let header: (UInt32, UInt32, UInt32) -> [UInt8] = { bytes($0) + bytes($1) + bytes($2) }
        let wrong: [[UInt8]] = [
            header(1, 0, 0), header(1, 5, 0), header(1, 1, 4097), header(1, 1, .max), header(0, 1, 0), header(999, 1, 0), header(1, 1, 1) + [0],
            header(5, 1, 8) + bytes(9 as UInt64), header(9, 1, 40) + Array(repeating: 0xff, count: 40), header(11, 9, 8) + Array(repeating: 0xff, count: 8),
        ]
        for (number, message) in wrong.enumerated() {
            let frontend = try #require(TestFrontend(connectingTo: path()))
            frontend.send(raw: message, [memory])
            #expect(frontend.waitForEnd() && recorder.wait { $0.reasons.count == number + 1 })
        }
        #expect(descriptorsAreBack(to: before))
        close(memory)
    }

    @Test func socketsThatCannotBeHad() throws {
        let sessions = try VhostSessions()
        defer { sessions.end() }
        let recorder = Recorder()
        let port = try sessions.add(PortOptions(path: path(), mode: .server), recorder)
        #expect(throws: VhostError.self) { try sessions.add(PortOptions(path: path(), mode: .server), Recorder()) }
        #expect(throws: VhostError.self) { try sessions.add(PortOptions(path: folder.path, mode: .server), Recorder()) }
        #expect(throws: VhostError.self) { try sessions.add(PortOptions(path: path("none/port"), mode: .server), Recorder()) }
        #expect(throws: VhostError.self) { try sessions.add(PortOptions(path: "/" + String(repeating: "a", count: 108), mode: .client), Recorder()) }
        sessions.remove(port)
        #expect(access(path(), F_OK) != 0)
        // What an earlier process has left is removed.
        do { _ = try #require(TestListener(path())) }
        #expect(access(path(), F_OK) == 0)
        var options = PortOptions(path: path(), mode: .server)
        options.prepare = { chmod($0, 0o600) }
        let again = try sessions.add(options, recorder)
        var info = stat()
        stat(path(), &info)
        #expect(info.st_mode & 0o777 == 0o600)
        // A socket that another process has put in its place stays.
        unlink(path())
        let other = try #require(TestListener(path()))
        sessions.remove(again)
        #expect(access(path(), F_OK) == 0)
        _ = other
        close(memory)
    }
}
