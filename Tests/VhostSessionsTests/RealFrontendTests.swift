import Foundation
import Testing
import VhostSessions
import VhostUser

/// QEMU and DPDK's virtio_user as frontends. They run where their programs are; QEMU needs the folder of a guest's `vmlinuz` and `initramfs` in VHOST_GUEST_IMAGE.
extension Sessions {
    @Suite(.serialized) struct RealFrontends {
        private let folder = TestFolder()

        private static let image = ProcessInfo.processInfo.environment["VHOST_GUEST_IMAGE"]
        private static let hasQEMU = image != nil && access("/usr/bin/qemu-system-x86_64", X_OK) == 0
        private static let hasTestpmd = access("/usr/bin/dpdk-testpmd", X_OK) == 0

        /// A program that is ended with its test. Its output is read so that it never waits for that.
        private final class Program: @unchecked Sendable {
            let process = Process()
            private let input = Pipe(), output = Pipe()
            private let text = NSMutableString(capacity: 65536)
            private let changed = NSCondition()

            init(_ path: String, _ arguments: [String]) throws {
                process.executableURL = URL(fileURLWithPath: path)
                process.arguments = arguments
                process.standardInput = input
                process.standardOutput = output
                process.standardError = output
                output.fileHandleForReading.readabilityHandler = { [unowned self] handle in
                    let data = handle.availableData
                    changed.withLock {
                        text.append(String(decoding: data, as: UTF8.self))
                        changed.broadcast()
                    }
                }
                try process.run()
            }

            var said: String { changed.withLock { text as String } }

            func write(_ line: String) { input.fileHandleForWriting.write(Data(line.utf8)) }

            func wait(for words: String) -> Bool {
                let limit = Date(timeIntervalSinceNow: 60)
                return changed.withLock {
                    while text.range(of: words).location == NSNotFound { if !changed.wait(until: limit) { return false } }
                    return true
                }
            }

            func end() {
                output.fileHandleForReading.readabilityHandler = nil
                // It may have been started by a thread that puts off all other signals.
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
            }
        }

        private func qemu(_ socket: String, listens: Bool, packed: Bool, pairs: Int) throws -> Program {
            try Program("/usr/bin/qemu-system-x86_64", [
                "-accel", "tcg", "-cpu", "max", "-smp", "\(pairs)", "-m", "192", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
                "-kernel", "\(Self.image ?? "")/vmlinuz", "-initrd", "\(Self.image ?? "")/initramfs",
                "-append", "console=ttyS0 quiet panic=-1 tsc=reliable tsc_early_khz=2300000 lpj=4000000 no_timer_check mitigations=off net.ifnames=0 harness",
                "-object", "memory-backend-memfd,id=m0,size=192M,share=on", "-M", "pc,memory-backend=m0", "-global", "virtio-net-pci.vectors=0",
                "-chardev", "socket,id=c0,path=\(socket),\(listens ? "server=on,wait=off" : "reconnect=1")",
                "-netdev", "vhost-user,id=n0,chardev=c0,queues=\(pairs)",
                "-device", "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01,host_mtu=1400\(pairs > 1 ? ",mq=on" : "")\(packed ? ",packed=on" : "")",
            ])
        }

        /// Whether the driver has made buffers available where the ring is said to be.
        private func hasBuffers(_ ring: StartedRing) -> Bool {
            ring.isPacked ? ring.descriptors.load(fromByteOffset: 14, as: UInt16.self) & 1 << 7 != 0 : ring.driverArea.load(fromByteOffset: 2, as: UInt16.self) != 0
        }

        /// Waits until the driver has filled a ring: it tells so by its kick, or at the latest when the program says something more.
        private func waitForBuffers(_ ring: StartedRing) -> Bool {
            for _ in 0..<200 {
                if hasBuffers(ring) { return true }
                var place = pollfd(fd: ring.kick ?? -1, events: Int16(POLLIN), revents: 0)
                poll(&place, 1, 50)
            }
            return false
        }

        @Test(.enabled(if: hasQEMU), arguments: [(true, false, 1), (true, true, 1), (false, false, 2), (true, true, 2)])
        func linuxUnderQEMU(listens: Bool, packed: Bool, pairs: Int) throws {
            let sessions = try VhostSessions()
            defer { sessions.end() }
            let recorder = Recorder(), path = folder.path + "/port"
            let port = try sessions.add(PortOptions(path: path, mode: listens ? .client : .server, offer: Offer(queuePairs: 4)), recorder)
            let guest = try qemu(path, listens: listens, packed: packed, pairs: pairs)
            defer { guest.end() }
            let booted = guest.wait(for: "READY")
            #expect(booted, "\(guest.said) \(recorder.now.lines)")
            guest.write("1 ip link set eth0 up; ethtool -L eth0 combined \(pairs); cat /sys/class/net/eth0/mtu\n")
            #expect(guest.wait(for: "@@1 0") && guest.said.contains("1400"), "\(guest.said)")
            #expect(recorder.wait { $0.running.count == 2 * pairs }, "\(recorder.now.lines) \(recorder.now.running.keys)")
            let before = recorder.now
            #expect(before.mtu == 1400 && before.features?.contains(.ringPacked) == packed)
            for pair in 0..<pairs {
                let ring = try #require(before.running[2 * pair])
                #expect(ring.size == 256 && ring.isPacked == packed && ring.memory.count >= 1 && ring.kick != nil)
                #expect(waitForBuffers(ring), "ring \(ring.index)")
            }
            print("QEMU: \(before.features.map { String($0.rawValue, radix: 16) } ?? "") \(before.regions.count) regions, starts \(before.starts), \(before.lines)")

            // The connection ends and begins anew, and the guest does not notice.
            sessions.disconnect(port, because: "the test says so")
            #expect(recorder.wait { $0.connections == 2 && $0.running.count == 2 * pairs }, "\(recorder.now.lines) \(guest.said)")
            for pair in 0..<pairs { #expect(try waitForBuffers(#require(recorder.now.running[2 * pair]))) }

            // The driver lets go of the device and takes it up again.
            let stops = recorder.now.stops.count
            guest.write("2 echo virtio0 >/sys/bus/virtio/drivers/virtio_net/unbind\n")
            #expect(guest.wait(for: "@@2 0") && recorder.wait { $0.running.isEmpty && $0.stops.count > stops }, "\(guest.said)")
            guest.write("3 echo virtio0 >/sys/bus/virtio/drivers/virtio_net/bind; ip link set eth0 up; ethtool -L eth0 combined \(pairs)\n")
            #expect(guest.wait(for: "@@3 0") && recorder.wait { $0.running.count == 2 * pairs }, "\(guest.said) \(recorder.now.running.keys)")
            for pair in 0..<pairs { #expect(try waitForBuffers(#require(recorder.now.running[2 * pair]))) }
            #expect(recorder.now.violations == [] && recorder.now.connections == 2)
            print("QEMU: \(recorder.now.lines)")
        }

        @Test(.enabled(if: hasTestpmd), arguments: [(false, false, 1), (true, false, 1), (false, true, 1), (true, true, 2)])
        func virtioUserOfDPDK(listens: Bool, packed: Bool, pairs: Int) throws {
            let sessions = try VhostSessions()
            defer { sessions.end() }
            let recorder = Recorder(), path = folder.path + "/port"
            let port = try sessions.add(PortOptions(path: path, mode: listens ? .client : .server, offer: Offer(queuePairs: 4)), recorder)
            let guest = try Program("/usr/bin/dpdk-testpmd", [
                "-l", "0,1", "--no-pci", "--no-huge", "-m", "128", "--file-prefix", "vhost\(getpid())", "--vdev",
                "net_virtio_user0,path=\(path),mac=52:54:00:00:00:01,queues=\(pairs),queue_size=512,mrg_rxbuf=1,packed_vq=\(packed ? 1 : 0)\(listens ? ",server=1" : "")",
                "--", "-i", "--rxq=\(pairs)", "--txq=\(pairs)", "--total-num-mbufs=4096", "--no-lsc-interrupt",
            ])
            defer { guest.end() }
            #expect(guest.wait(for: "testpmd>"), "\(guest.said)")
            #expect(recorder.wait { $0.running.count == 2 * pairs }, "\(recorder.now.lines) \(guest.said)")
            let before = recorder.now
            for pair in 0..<pairs {
                let ring = try #require(before.running[2 * pair])
                #expect(ring.size == 512 && ring.isPacked == packed)
                #expect(waitForBuffers(ring), "ring \(ring.index)")
            }
            print("virtio_user: \(before.features.map { String($0.rawValue, radix: 16) } ?? "") \(before.regions.count) regions, starts \(before.starts)")
            guest.write("port stop 0\n")
            #expect(recorder.wait { $0.running.isEmpty }, "\(guest.said)")
            guest.write("port start 0\n")
            #expect(recorder.wait { $0.running.count == 2 * pairs }, "\(guest.said)")
            if listens {
                sessions.disconnect(port, because: "the test says so")
                #expect(recorder.wait { $0.connections == 2 && $0.running.count == 2 * pairs }, "\(guest.said)")
            }
            #expect(recorder.now.violations == [])
            print("virtio_user: \(recorder.now.lines)")
        }
    }
}
