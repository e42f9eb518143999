import Testing

extension EndToEnd {
    /// The lab proves itself with Debian's own switch, so that a fault of the lab is told from a fault of the product.
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
    }
}
