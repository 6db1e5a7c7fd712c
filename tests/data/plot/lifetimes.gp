# Written by onrush plot. Its data are in lifetimes.dat, and
#     gnuplot -e "term='png'" lifetimes.gp
# draws it in this folder; term may be svg, png, pdf or dumb.
name = 'lifetimes'
data = 'lifetimes.dat'
heading = 'Lifetimes of sessions'
caption = '1000/s even for 300ms, concurrence 4 fresh  ·  VALID  ·  n = 290'
time_unit = 'ms'
time_axis = 'unset logscale x; set xrange [59945035:180164895]; set xtics ("100" 100000000, "150" 150000000)'
lines = 121
thickness = 0.8
one_in = 1
any_failed = 0
any_holes = 1

# The look that all pictures share.
if (!exists("term")) term = "svg"
if (term eq "png") set terminal pngcairo size 1440,900 font "sans,12" fontscale 1.4 linewidth 1.5
if (term eq "svg") set terminal svg size 960,600 font "sans-serif,13" background "#ffffff"
if (term eq "pdf") set terminal pdfcairo size 9.6in,6in font "sans,13"
if (term eq "dumb") set terminal dumb size 110,40
set output term eq "dumb" ? "/dev/stdout" : name . "." . term
set encoding utf8

# Okabe and Ito: told apart by every kind of colour vision.
blue = "#0072B2"; sky = "#56B4E9"; green = "#009E73"; orange = "#E69F00"
red = "#D55E00"; purple = "#CC79A7"; grey = "#999999"; ink = "#333333"; faint = "#F2F2F2"

set border 3 lc rgb grey
set tics nomirror out scale 0.6 tc rgb ink
set grid lc rgb "#DDDDDD" lw 0.8 dt 1
set xlabel tc rgb ink
set style fill solid noborder
set key noautotitle
set lmargin at screen 0.115
set rmargin at screen 0.87
set tmargin at screen 0.85
set bmargin at screen 0.12
set label 1 "{/:Bold " . heading . "}" at screen 0.02, 0.955 font ",16" tc rgb ink
set label 2 caption at screen 0.02, 0.905 noenhanced tc rgb "#666666"

eval time_axis
set yrange [0:lines]
set ytics autofreq
set grid noy
set xlabel "time (" . time_unit . " since the start of measure)"
set label 70 "sessions, in order of their intended start" . (one_in > 1 ? sprintf(" (1 of %d)", one_in) : "") at screen 0.022, graph 0.5 rotate center tc rgb ink
set key at screen 0.885, screen 0.85 left top vertical Left reverse samplen 0.8 width -2 \
    textcolor rgb ink
set rmargin at screen 0.86

plot data index "holes" using 1:(0):1:2:(0):(lines) with boxxyerror lc rgb "#F1DAE6", \
     data index "wait" using 2:1:2:3:($1 - thickness):1 with boxxyerror lc rgb orange title "wait", \
     data index "lag" using 2:1:2:3:($1 - thickness):1 with boxxyerror lc rgb red title "lag", \
     data index "connect" using 2:1:2:3:($1 - thickness):1 with boxxyerror lc rgb purple \
         title "connect", \
     data index "first byte" using 2:1:2:3:($1 - thickness):1 with boxxyerror lc rgb sky \
         title "first byte", \
     data index "answer" using 2:1:2:3:($1 - thickness):1 with boxxyerror lc rgb blue \
         title "answer", \
     data index "failed" using 2:($1 - thickness / 2) with points pt 2 ps 0.7 lw 1.5 lc rgb "black" \
         title any_failed ? "failed" : "", \
     NaN with boxes lc rgb "#F1DAE6" title any_holes ? "hole" : ""
