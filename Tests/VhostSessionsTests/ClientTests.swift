import Glibc
import Testing
import VhostSessions
import VhostUser

extension Sessions {
    @Suite(.serialized) struct Clients {
        private let folder = TestFolder()

        /// Nanoseconds from when a socket is there to when a backend has connected.
        private func time(_ listener: TestListener?) -> (TestFrontend?, UInt64) {
            let start = monotonicNow()
            let frontend = listener?.accept()
            return (frontend, monotonicNow() - start)
        }

        @Test func connectsWhenTheSocketAppears() throws {
            let sessions = try VhostSessions()
            defer { sessions.end() }
            let recorder = Recorder(), memory = TestFrontend.memory()
            let path = folder.path + "/one/two/port"
            let port = try sessions.add(PortOptions(path: path, mode: .client), recorder)
            var times: [UInt64] = []
            mkdir(folder.path + "/one", 0o755)
            mkdir(folder.path + "/one/two", 0o755)
            for round in 0..<20 {
                let (frontend, took) = time(TestListener(path))
                times.append(took)
                #expect(try #require(frontend).negotiate(memory: memory) && recorder.now.running.count == 2)
                frontend?.close()
                unlink(path)
                if round % 5 == 4 {
                    // The folder goes, too, or another comes in its place.
                    #expect(rename(folder.path + "/one", folder.path + "/old\(round)") == 0)
                    mkdir(folder.path + "/one", 0o755)
                    mkdir(folder.path + "/one/two", 0o755)
                }
                #expect(recorder.wait { !$0.isConnected })
            }
            times.sort()
            print("reconnected after (us): median \(times[10] / 1000), longest \(times[19] / 1000)")
            sessions.remove(port)
            #expect(recorder.now.connections == 20 && recorder.now.violations == [])
            close(memory)
        }

        @Test func aSocketOnWhichNobodyListensYet() throws {
            let sessions = try VhostSessions()
            defer { sessions.end() }
            let recorder = Recorder()
            let path = folder.path + "/port"
            let early = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            #expect(withUnixAddress(path) { bind(early, $0, $1) } == 0)
            _ = try sessions.add(PortOptions(path: path, mode: .client), recorder)
            // It is told once that nobody listens, after a second or more.
            #expect(recorder.wait { $0.lines == ["\(path) cannot be connected to: Connection refused"] })
            #expect(listen(early, 1) == 0 && recorder.wait { $0.isConnected })
            close(early)
        }

        @Test func connectsAnewWhenItIsToldToEnd() throws {
            let sessions = try VhostSessions()
            defer { sessions.end() }
            let recorder = Recorder(), memory = TestFrontend.memory()
            let path = folder.path + "/port"
            let listener = try #require(TestListener(path))
            let port = try sessions.add(PortOptions(path: path, mode: .client), recorder)
            for round in 0..<5 {
                let frontend = try #require(listener.accept())
                #expect(frontend.negotiate(memory: memory))
                sessions.disconnect(port, because: "its memory is gone")
                #expect(frontend.waitForEnd() && recorder.wait { $0.reasons.count == round + 1 })
            }
            #expect(recorder.now.reasons.allSatisfy { $0 == "its memory is gone" } && recorder.now.violations == [])
            close(memory)
        }

        @Test func manyPortsAreAddedAndRemovedFromManyThreads() async throws {
            let sessions = try VhostSessions()
            let before = descriptorCount()
            let folder = folder.path
            await withTaskGroup(of: Int.self) { group in
                for thread in 0..<4 {
                    group.addTask {
                        var faults = 0
                        let memory = TestFrontend.memory()
                        for round in 0..<50 {
                            let recorder = Recorder()
                            guard let port = try? sessions.add(PortOptions(path: "\(folder)/\(thread)-\(round)", mode: .server), recorder) else { return 1000 }
                            let frontend = TestFrontend(connectingTo: "\(folder)/\(thread)-\(round)")
                            if frontend?.negotiate(memory: memory) != true { faults += 1 }
                            sessions.remove(port)
                            let state = recorder.now
                            if state.isConnected || !state.regions.isEmpty || !state.violations.isEmpty { faults += 1 }
                        }
                        close(memory)
                        return faults
                    }
                }
                for await faults in group { #expect(faults == 0) }
            }
            #expect(descriptorsAreBack(to: before))
            sessions.end()
            sessions.end()
            #expect(throws: VhostError.self) { try sessions.add(PortOptions(path: folder + "/late", mode: .server), Recorder()) }
        }
    }
}
