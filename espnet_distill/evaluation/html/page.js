"use strict";
const players = [...document.querySelectorAll(".sound")].map(follow);

function follow(figure) {
  const audio = figure.querySelector("audio");
  const image = figure.querySelector("img");
  const mark = figure.querySelector(".mel i");
  const article = figure.closest("article");
  const chart = article.querySelector(".pitch svg");
  const line = chart && chart.querySelector(".now");

  function light(on) {
    figure.classList.toggle("lit", on);
    if (!chart) return;
    chart.classList.toggle("some", on);
    for (const curve of chart.querySelectorAll(".curve"))
      curve.classList.toggle("lit", on && curve.dataset.place === figure.dataset.place);
  }

  function show() {
    const share = audio.duration ? audio.currentTime / audio.duration : 0;
    mark.style.display = "block";
    mark.style.left = `${share * image.offsetWidth}px`;
    if (line) {
      const along = audio.currentTime / article.dataset.longest;
      line.setAttribute("transform", `translate(${along * chart.viewBox.baseVal.width})`);
      line.style.display = "block";
    }
    if (!audio.paused) requestAnimationFrame(show);
  }

  function hide() {
    light(false);
    if (line) line.style.display = "none";
  }

  audio.addEventListener("play", () => {
    for (const other of players) if (other !== audio) other.pause();
    light(true);
    show();
  });
  audio.addEventListener("seeked", show);
  audio.addEventListener("pause", hide);
  image.addEventListener("click", (event) => {
    audio.currentTime = (event.offsetX / image.offsetWidth) * (audio.duration || 0);
    audio.play();
  });
  figure.addEventListener("pointerenter", () => light(true));
  figure.addEventListener("pointerleave", () => audio.paused && light(false));
  return audio;
}
