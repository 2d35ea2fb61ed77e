"""What several tests share: networks, graphs, fakes and runners."""
