import Testing

extension EndToEnd {
    /// Tests the lab itself with Debian's own switch, so that faults of the lab can be told from faults of the product.
    @Suite("The lab itself", .needs(.qemu, .testpmd))
    struct LabTests {
        @Test("two guests exchange a file through dpdk-testpmd")
        func guestsThroughTestpmd() throws {
            try withLab { lab in
                let sockets = [lab.path("a.sock"), lab.path("b.sock")]
                let switching = try Testpmd(
                    lab, "sw", devices: sockets.enumerated().map { "net_vhost\($0),iface=\($1),client=1" },
                    options: ["--forward-mode=io", "--auto-start", "--no-lsc-interrupt"])
                let a = try Guest(lab, "a", mac: "52:54:00:00:00:0a", socket: sockets[0])
                let b = try Guest(lab, "b", mac: "52:54:00:00:00:0b", socket: sockets[1])
                try switching.waitFor("Press enter to exit")
                try a.booted().configure("10.0.0.1/24")
                try b.booted().configure("10.0.0.2/24")
                try a.reaches("10.0.0.2")
                let digest = try a.serveRandomFile("f", kib: 4096)
                #expect(try b.fetchedDigest("http://10.0.0.1/f") == digest)
            }
        }

        @Test("frames made by hand are what tshark takes them for", .needs(.tshark))
        func frames() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let capture = try Capture(lab, wire.far, fields: ["eth.src", "vlan.id", "vlan.priority", "frame.protocols", "_ws.malformed"], filter: "ether dst 02:00:00:00:00:99")
                let sender = try RawSocket(wire.near)
                let samples = TaggingTests.samples
                for (index, sample) in samples.enumerated() {
                    let tags = [Frames.Tag(pcp: UInt8(index % 8), vid: UInt16(index + 1))]
                    try sender.send(Frames.ethernet(to: "02:00:00:00:00:99", from: "02:00:00:00:00:01", tags: tags, type: sample.type, sample.payload))
                }
                let seen = try capture.waitFor(samples.count)
                for (index, sample) in samples.enumerated() {
                    let frame = try #require(seen.first { $0["vlan.id"] == "\(index + 1)" })
                    #expect(frame["vlan.priority"] == "\(index % 8)")
                    #expect(frame["frame.protocols"]?.contains(sample.dissected) == true, "\(sample.name): \(frame)")
                    #expect(frame["_ws.malformed"] == "", "\(sample.name): \(frame)")
                }
            }
        }

        @Test("the iSCSI target and its initiator work across a cable", .needs(.tgt))
        func storage() throws {
            try withLab { lab in
                let storage = try Namespace(lab, "storage")
                let client = try Namespace(lab, "client")
                let wire = try VethPair(lab, "w", farIn: storage)
                try run("ip", "link", "set", wire.near, "netns", client.name)
                try storage.configure(wire.far, address: "10.0.0.1/24")
                try client.configure(wire.near, address: "10.0.0.2/24")
                _ = try ISCSITarget(lab, in: storage, mib: 16)
                let image = try RandomFile(lab, "image", kib: 16_384)
                let url = ISCSITarget.url("10.0.0.1")
                try client.run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image.path, url)
                try client.run("qemu-img", "convert", "-f", "raw", "-O", "raw", url, lab.path("copy"))
                #expect(try RandomFile.digest(lab.path("copy")) == image.digest)
                print(try client.run("qemu-img", "bench", "-f", "raw", "-c", "2000", "-d", "16", "-s", "64k", url))
                print(try client.run("iscsi-perf", "-t", "2", "-b", "64", "-m", "8", url))
            }
        }
    }
}
